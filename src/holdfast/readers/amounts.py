"""How nginx and HAProxy write numbers, sizes and times. Raises ValueError with what was meant."""

from __future__ import annotations

import re

_NGINX_S = {"y": 31_536_000.0, "M": 2_592_000.0, "w": 604_800.0, "d": 86_400.0, "h": 3_600.0}
_NGINX_S |= {"m": 60.0, "s": 1.0, "ms": 0.001, "": 1.0}
_HAPROXY_S = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0}
_BYTES = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30}
_PART = re.compile(r"(\d+)(ms|[yMwdhms]?)\s*")


def count(text: str) -> int:
    """A whole number."""
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise ValueError("a whole number is wanted")
    return int(text)


def word(text: str) -> str:
    """The word itself."""
    return text


def stated(_text: str) -> bool:
    """True: that it stands there is what it says."""
    return True


def switch(text: str) -> bool:
    """nginx's `on` and `off`."""
    if text.lower() not in ("on", "off"):
        raise ValueError("`on` or `off` is wanted")
    return text.lower() == "on"


def size(text: str) -> int:
    """Bytes: "4096", "8k", "10M", "1g" (binary)."""
    found = re.fullmatch(r"(\d{1,18})([kmg]?)", text.lower())
    if found is None or not text.isascii():
        raise ValueError("a size is wanted, such as `8k` or `10m`")
    return int(found[1]) * _BYTES[found[2]]


def sizes(text: str) -> int:
    """Bytes of so many buffers of one size: "8 4k"."""
    many, _, each = text.partition(" ")
    return count(many) * size(each)


def remembered(text: str) -> int:
    """Bytes of memory that nginx's workers share of "builtin:1000 shared:NAME:10m"; 0 for none."""
    found = re.search(r"shared:[^:\s]+:(\S+)$", text)
    if found is None and not re.fullmatch(r"off|none|builtin(:\d+)?", text):
        raise ValueError("`shared:NAME:SIZE`, `builtin`, `none` or `off` is wanted")
    return size(found[1]) if found else 0


def most_open(text: str) -> int:
    """The files that `open_file_cache` keeps open: "max=1000 inactive=20s", or "off"."""
    if text == "off":
        return 0
    found = next((word for word in text.split() if word.startswith("max=")), "")
    return count(found.removeprefix("max="))


def rate(text: str) -> float:
    """nginx's requests a second: "10r/s", "30r/m"."""
    found = re.fullmatch(r"(\d{1,18})r/([sm])", text)
    if found is None or not text.isascii():
        raise ValueError("a rate is wanted, such as `10r/s`")
    return int(found[1]) / (1 if found[2] == "s" else 60)


def seconds(text: str) -> float:
    """nginx's time: "60", "60s", "1m30s", "500ms"; largest units first, each once."""
    at, total, last = 0, 0.0, float("inf")
    while at < len(text):
        part = _PART.match(text, at)
        if part is None or not text.isascii() or _NGINX_S[part[2]] >= last or len(part[1]) > 18:
            raise ValueError("a time is wanted, such as `60s` or `1m30s`")
        last = _NGINX_S[part[2]]
        total += int(part[1]) * last
        at = part.end()
    if not text:
        raise ValueError("a time is wanted, such as `60s`")
    return total


def haproxy_seconds(text: str) -> float:
    """HAProxy's time: milliseconds, or one of us, ms, s, m, h, d: "5000", "30s"."""
    found = re.fullmatch(r"(\d{1,18})(us|ms|s|m|h|d)?", text)
    if found is None or not text.isascii():
        raise ValueError("a time is wanted, such as `30s`, or milliseconds")
    return int(found[1]) * _HAPROXY_S[found[2] or "ms"]


def seconds_or_unit(text: str) -> float:
    """HAProxy's time where a plain number is seconds: "60", "60s", "500ms"."""
    return float(count(text)) if text.isdigit() else haproxy_seconds(text)
