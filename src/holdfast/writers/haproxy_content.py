"""What HAProxy does of content: compression, error pages, answers kept in memory.

Lines of its sections; none where nothing is asked for. What it cannot do is refused elsewhere.
"""

from __future__ import annotations

import math

from holdfast.model.front.front import Front
from holdfast.model.path import Hop
from holdfast.writers.site import explained, plain, value_of

MIB = 1 << 20
REFUSED = 503
"""What requests beyond N are answered."""


def main(front: Front) -> list[str]:
    """Lines of `global`."""
    wanted = front.compression
    return [f"    tune.comp.maxlevel {wanted.level}"] if wanted else []


def sections(hop: Hop, front: Front) -> list[str]:
    """Sections of their own."""
    if front.cache is None:
        return []
    size, age = value_of(hop, "cache_size_bytes"), value_of(hop, "cache_max_age_s")
    return [
        "cache kept",
        *explained(size.why, f"total-max-size {int(size.number) // MIB}"),
        *explained(age.why, f"max-age {plain(age)}"),
        "    process-vary on",
        "",
    ]


def frontend(hop: Hop, front: Front) -> list[str]:
    """Lines of the frontend, where the answers of errors and of the cache are given."""
    return [*_compression(front), *_errors(hop, front), *_cache(front)]


def _compression(front: Front) -> list[str]:
    if front.compression is None:
        return []
    return [
        "    compression algo gzip",
        f"    compression type {' '.join(front.compression.types)}",
    ]


def _errors(hop: Hop, front: Front) -> list[str]:
    """Each status is a rule of its own, and the file is read when HAProxy starts; where requests
    beyond N are refused, the one for that says when to come again."""
    again = hop.get("retry_after_s")
    said = {} if again is None else {REFUSED: f" hdr Retry-After {plain(again)}"}
    return [
        f'    http-error status {status} content-type text/html file "{page.page}"'
        f"{said.get(status, '')}"
        for page in front.errors
        for status in page.status
    ]


def _cache(front: Front) -> list[str]:
    cache = front.cache
    if cache is None:
        return []
    whom = "" if cache.cookies else " !{ req.hdr(cookie) -m found }"
    return [
        "    # who asks with these asks for himself: the app answers, and nobody keeps it",
        f"    http-request set-var(txn.kept) bool(true) if {{ path_beg {' '.join(cache.paths)} }}"
        f" !{{ req.hdr(authorization) -m found }}{whom}",
        "    http-request cache-use kept if { var(txn.kept) -m bool }",
        "    # without a word of how long it is good, HAProxy keeps none that has no validator;",
        "    # browsers leave `s-maxage` alone",
        f"    http-response set-header Cache-Control s-maxage={math.ceil(cache.fresh)} "
        "if { var(txn.kept) -m bool } { status 200 } !{ res.hdr(cache-control) -m found } "
        "!{ res.hdr(expires) -m found } !{ res.hdr(set-cookie) -m found }",
        "    http-response cache-store kept if { var(txn.kept) -m bool } "
        "!{ res.hdr(set-cookie) -m found }",
        *(
            [
                "    http-after-response set-header X-Cache HIT if { res.cache_hit }",
                "    http-after-response set-header X-Cache MISS "
                "if { var(txn.kept) -m bool } !{ res.cache_hit }",
            ]
            if cache.status
            else []
        ),
    ]
