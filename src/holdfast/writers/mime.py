"""Which type a file is of, by the ending of its name (IANA's registry of media types)."""

from __future__ import annotations

from typing import Final

TYPES: Final = {
    "text/html": ("html", "htm"),
    "text/css": ("css",),
    "text/javascript": ("js", "mjs"),
    "text/plain": ("txt",),
    "text/csv": ("csv",),
    "text/markdown": ("md",),
    "text/calendar": ("ics",),
    "text/vtt": ("vtt",),
    "text/xml": ("xml",),
    "application/json": ("json", "map"),
    "application/manifest+json": ("webmanifest",),
    "application/rss+xml": ("rss",),
    "application/atom+xml": ("atom",),
    "application/wasm": ("wasm",),
    "application/pdf": ("pdf",),
    "application/zip": ("zip",),
    "application/gzip": ("gz", "tgz"),
    "image/svg+xml": ("svg", "svgz"),
    "image/png": ("png",),
    "image/jpeg": ("jpg", "jpeg"),
    "image/gif": ("gif",),
    "image/webp": ("webp",),
    "image/avif": ("avif",),
    "image/vnd.microsoft.icon": ("ico",),
    "font/woff": ("woff",),
    "font/woff2": ("woff2",),
    "font/ttf": ("ttf",),
    "font/otf": ("otf",),
    "audio/mpeg": ("mp3",),
    "audio/ogg": ("ogg", "oga", "opus"),
    "audio/wav": ("wav",),
    "audio/mp4": ("m4a",),
    "video/mp4": ("mp4", "m4v"),
    "video/webm": ("webm",),
    "video/quicktime": ("mov",),
}
"""Endings of each type; what has none of them is `application/octet-stream`, bytes to save."""
CHARSET: Final = (
    *("text/css", "text/javascript", "text/plain", "text/csv", "text/markdown", "text/xml"),
    *("application/json", "application/manifest+json", "image/svg+xml"),
)
"""Types beside HTML whose text is said to be UTF-8."""
