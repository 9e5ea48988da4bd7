"""What nginx serves and keeps by itself: files, compression, error pages, cached answers.

Lines for the levels `http` and `server`; none where nothing is asked for. Which folders there are
and who may read them is known to others: paths come in whole.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from holdfast.model.front.cache import Cache
from holdfast.model.front.errors import ErrorPage
from holdfast.model.front.files import Files
from holdfast.model.front.front import Front
from holdfast.model.path import Hop
from holdfast.writers.mime import CHARSET, TYPES
from holdfast.writers.nginx_passing import passing, set_lines
from holdfast.writers.site import Site, explained, plain, value_of, whole_s

PAGES: Final = "/.holdfast-error/"
"""Below it nginx finds its error pages; nobody else does: the locations are `internal`."""
REFUSED: Final = 503
"""What requests beyond N are answered (docs/edge/admission.md)."""
FAILING: Final = "error timeout http_500 http_502 http_503 http_504"
_INNER: Final = " " * 8
_DEEP: Final = " " * 12


def http(hop: Hop, site: Site) -> list[str]:
    """The lines of the level `http`."""
    front = site.front
    return [
        *(_types() if front.files or front.errors else []),
        *(_open_files(hop) if front.files else []),
        *_compression(hop, front),
        *(_wants_json() if any(page.json for page in front.errors) else []),
        *(_kept(hop, site, front.cache) if front.cache else []),
    ]


def server(hop: Hop, site: Site) -> list[str]:
    """The lines of the level `server`: what holds for all of it, and locations of our own."""
    front = site.front
    return [
        *_headers(front),
        *_pages(hop, front),
        *(line for row in front.files for line in _folder(row)),
        *(_cached(hop, site, front.cache) if front.cache else []),
    ]


def quoted(text: str) -> str:
    """A path as one word of nginx's."""
    return f'"{text}"'


def _types() -> Iterator[str]:
    yield "    # the edge reads no list of types but this one"
    yield "    types {"
    yield from (f"        {kind} {' '.join(endings)};" for kind, endings in TYPES.items())
    yield "    }"
    yield "    default_type application/octet-stream;"


def _open_files(hop: Hop) -> Iterator[str]:
    most = value_of(hop, "open_file_cache")
    yield from explained(most.why, f"open_file_cache max={plain(most)};")
    yield from set_lines(hop, "open_file_cache_valid_s")
    yield "    sendfile on;"
    yield "    tcp_nopush on;"


def _compression(hop: Hop, front: Front) -> Iterator[str]:
    wanted = front.compression
    if wanted is None:
        return
    least = value_of(hop, "gzip_min_length")
    types = " ".join(kind for kind in wanted.types if kind != "text/html")  # that is always meant
    yield "    # an answer that is compressed already, or says `no-transform`, is left as it is"
    yield "    gzip on;"
    yield "    gzip_vary on;"
    yield "    gzip_proxied any;"
    yield f"    gzip_comp_level {wanted.level};"
    yield from set_lines(hop, "gzip_min_length")
    yield from ([f"    gzip_types {types};"] if types else [])
    if wanted.brotli:
        yield "    brotli on;"
        yield f"    brotli_comp_level {wanted.level};"
        yield f"    brotli_min_length {plain(least)};"
        yield from ([f"    brotli_types {types};"] if types else [])


def _wants_json() -> Iterator[str]:
    yield "    map $http_accept $error_as {"
    yield "        default page;"
    yield r"        ~*\bapplication/([\w.-]+\+)?json\b json;"
    yield "    }"


def _kept(hop: Hop, site: Site, cache: Cache) -> Iterator[str]:
    keys, disk = value_of(hop, "cache_keys_bytes"), value_of(hop, "cache_disk_bytes")
    path = f"proxy_cache_path {site.folder}/cache levels=1:2 use_temp_path=off"
    yield from explained(f"{keys.why}; {disk.why}", path)
    sizes = f"keys_zone=kept:{plain(keys)} max_size={plain(disk)}"
    yield f"{_INNER}{sizes} inactive={whole_s(cache.kept)};"
    yield "    # who asks with these asks for himself: the app answers, and nobody keeps it"
    whom = "$http_authorization" if cache.cookies else "$http_authorization$http_cookie"
    yield f'    map {whom} $for_one {{ "" 0; default 1; }}'


def _headers(front: Front) -> Iterator[str]:
    """Headers of our own stand at the server: in a location they would hide those from outside."""
    names = ("Cache-Control $file_keeps", "Content-Disposition $file_shown")
    for wanted, header in zip(_said(front), names, strict=True):
        if wanted:
            name = header.partition(" ")[2]
            yield f'        set {name} "";'
            yield f"        add_header {header};"
    if any(row.download for row in front.files):
        yield "        add_header X-Content-Type-Options $file_sniffed;"
        yield '        set $file_sniffed "";'
    if front.cache is not None and front.cache.status:
        yield "        add_header X-Cache $upstream_cache_status;"


def _said(front: Front) -> tuple[bool, bool]:
    """Whether any folder says `immutable`, and whether any is to be saved."""
    return (
        any(row.immutable for row in front.files),
        any(row.download for row in front.files),
    )


def _folder(row: Files) -> Iterator[str]:
    """A slash ends both: without one `/static../` would be the folder's parent."""
    folder = row.folder.rstrip("/") + "/"
    follow = "if_not_owner" if row.symlinks else "on"
    yield f"        location {row.url} {{"
    yield f"{_DEEP}alias {quoted(folder)};"
    yield f"{_DEEP}disable_symlinks {follow} {quoted('from=' + folder)};"
    yield f"{_DEEP}absolute_redirect off;"
    yield f"{_DEEP}charset utf-8;"
    yield f"{_DEEP}charset_types {' '.join(CHARSET)};"
    if row.expires:
        yield f"{_DEEP}expires {whole_s(row.expires)};"
    if row.immutable:
        yield f'{_DEEP}set $file_keeps "public, immutable";'
    if row.download:
        yield f"{_DEEP}set $file_shown attachment;"
        yield f"{_DEEP}set $file_sniffed nosniff;"
    if row.precompressed:
        yield f"{_DEEP}gzip_static on;"
    yield f"{_DEEP}# what begins with a dot is nobody's, but for what is meant for everybody"
    yield rf"{_DEEP}location ~ /\.(?!well-known/) {{ return 404; }}"
    yield "        }"


def _pages(hop: Hop, front: Front) -> Iterator[str]:
    """Every page; where requests beyond N are refused, the one for that says when to come again."""
    again = hop.get("retry_after_s")
    if again is not None and front.errors:
        yield '        set $again "";'
        yield "        add_header Retry-After $again always;"
    for index, page in enumerate(front.errors):
        told = again is not None and REFUSED in page.status
        own = [f"set $again {plain(again)};"] if again is not None and told else []
        yield from _error(index, page, own)


def _error(index: int, page: ErrorPage, own: list[str]) -> Iterator[str]:
    statuses = " ".join(map(str, page.status))
    named = "$error_as" if page.json else "page"
    yield f"        error_page {statuses} {PAGES}{index}/{named};"
    if page.of_app:
        yield "        proxy_intercept_errors on;"
    files = [("page", "text/html", page.page)]
    files += [("json", "application/json", page.json)] if page.json else []
    for name, kind, path in files:
        yield f"        location = {PAGES}{index}/{name} {{"
        yield f"{_DEEP}internal;"
        yield from (f"{_DEEP}{line}" for line in own)
        yield f"{_DEEP}types {{ }}"
        yield f"{_DEEP}default_type {kind};"
        yield f"{_DEEP}alias {quoted(path)};"
        yield "        }"


def _cached(hop: Hop, site: Site, cache: Cache) -> Iterator[str]:
    own = [
        "proxy_cache kept;",
        "proxy_cache_key $scheme://$http_host$request_uri;",
        *([f"proxy_cache_valid 200 301 302 {whole_s(cache.fresh)};"] if cache.fresh else []),
        "proxy_cache_bypass $for_one;",
        "proxy_no_cache $for_one;",
        "proxy_cache_revalidate on;",
        "# the app is asked for the whole: a part of it is ours to give",
        "proxy_force_ranges on;",
    ]
    if cache.lock:
        own += [
            "proxy_cache_lock on;",
            "# nginx counts uses of a key in ten bits: at 1, each 1,024th who waits finds 0,",
            "# fewer than enough, and asks the app",
            "proxy_cache_min_uses 0;",
        ]
        for name in ("proxy_cache_lock_timeout_s", "proxy_cache_lock_age_s"):
            own += set_lines(hop, name, "")
    if cache.stale:
        own += [
            f"proxy_cache_use_stale updating {FAILING};",
            "proxy_cache_background_update on;",
        ]
    for path in cache.paths:
        yield from passing(hop, site, path, own=own)
