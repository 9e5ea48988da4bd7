"""What an edge's program cannot do of what a site asks: refused, never quietly left out. No I/O.

From nginx's and HAProxy's own references; what they do was run (`tests/stack`).
"""

from __future__ import annotations

from typing import Final

from holdfast.model.errors import BadInput
from holdfast.model.front.cache import Cache
from holdfast.model.front.front import Front

NGINX: Final = "use `--edge nginx`"
HAPROXY_STATUSES: Final = frozenset(
    (*(400, 401, 403, 404, 405, 407, 408, 410, 413, 425, 429), *(500, 501, 502, 503, 504))
)
"""Statuses for which HAProxy can be given a page (`http-error`)."""


def refuse(program: str, front: Front) -> None:
    """Raise BadInput for the first thing that the program cannot do of the front."""
    if program != "haproxy":
        return
    for table, fault, hint in _beyond_haproxy(front):
        raise BadInput(f"{fault} - at `$.edge.{table}`", place="holdfast.toml", hint=hint)


def _beyond_haproxy(front: Front) -> list[tuple[str, str, str]]:
    """The key, what HAProxy cannot do of it, and what to do."""
    found = []
    if front.files:
        found.append(("files", "HAProxy serves no files", f"{NGINX}, or let the app serve them"))
    if front.body.memory is not None:
        told = f"{NGINX}, or leave it out: HAProxy has its buffer (`tune.bufsize`)"
        found.append(("body.memory", "HAProxy keeps no body longer than its buffer", told))
    if front.compression is not None:
        found += _compression(front.compression.least, brotli=front.compression.brotli)
    for at, page in enumerate(front.errors):
        found += _page(at, page.status, special=bool(page.json or page.of_app))
    if front.cache is not None:
        found += _cache(front.cache)
    return found


def _compression(least: int | None, *, brotli: bool) -> list[tuple[str, str, str]]:
    found = []
    if least is not None:
        fault = "HAProxy compresses answers of any length"
        found.append(("compression.least", fault, f"{NGINX}, or leave it out"))
    if brotli:
        found.append(("compression.brotli", "HAProxy has no brotli", f"{NGINX}, or leave it out"))
    return found


def _page(at: int, statuses: tuple[int, ...], *, special: bool) -> list[tuple[str, str, str]]:
    where = f"errors[{at}]"
    strange = [str(status) for status in statuses if status not in HAPROXY_STATUSES]
    found = []
    if strange:
        fault = f"HAProxy itself never answers {', '.join(strange)}"
        found.append((f"{where}.status", fault, f"{NGINX}, or leave it out"))
    if special:
        fault = "HAProxy shows its own errors' pages alone, the same to everybody"
        found.append((where, fault, f"{NGINX}, or leave `json` and `of_app` out"))
    return found


def _cache(cache: Cache) -> list[tuple[str, str, str]]:
    found = []
    for key in ("lock", "stale"):
        if getattr(cache, key):
            fault = "HAProxy lets everybody ask the app for what it has not kept"
            found.append((f"cache.{key}", fault, f"{NGINX}, or say `{key} = false`"))
    if not cache.fresh:
        fault = "HAProxy keeps no answer longer than it is told"
        found.append(("cache.fresh", fault, f"{NGINX}, or say how long, like `fresh = '10s'`"))
    return found
