"""Answers of the app that the edge keeps: the table `[edge.cache]`. No behaviour but refusals."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from holdfast.model.front.files import Prefix
from holdfast.model.front.units import Bytes, Count, Seconds


class Cache(Struct, frozen=True, forbid_unknown_fields=True):
    """Answers to GET and HEAD, one for each scheme, host and URL, and for what `Vary` names.

    Never kept: what answers a request with `Authorization`, or sets a cookie, or says so itself
    (`Cache-Control: no-store`, `private`, `no-cache`).
    """

    paths: Annotated[
        tuple[Prefix, ...],
        Meta(min_length=1, description="URLs that begin so are kept; with a slash at both ends."),
    ]
    fresh: Annotated[
        Seconds,
        Meta(
            description="How long an answer with 200, 301 or 302 is good where the app does not "
            "say so itself (`Cache-Control: max-age`, `Expires`)."
        ),
    ] = 0.0
    stale: Annotated[
        bool,
        Meta(
            description="Once it is no longer good, one request fetches it anew, and everybody "
            "has the old one meanwhile; also while the app fails."
        ),
    ] = True
    lock: Annotated[
        bool,
        Meta(
            description="Of those who ask for what is not there, one asks the app; the others "
            "wait for its answer."
        ),
    ] = True
    kept: Annotated[
        Seconds,
        Meta(description="What nobody asked for so long is forgotten, however good it is."),
    ] = 600.0
    cookies: Annotated[
        bool,
        Meta(
            description="Requests with cookies have the kept answers too, and theirs are kept: "
            "only where no answer below `paths` depends on a cookie."
        ),
    ] = False
    entries: Annotated[
        Count,
        Meta(description="So many answers at most, whose keys nginx has in memory."),
    ] = 10_000
    size: Annotated[
        Bytes | None,
        Meta(
            description="So much of them at most: 1 GiB of disk beside nginx, 64 MiB of memory in "
            "each process of HAProxy, where nothing is said."
        ),
    ] = None
    status: Annotated[
        bool,
        Meta(description="`X-Cache` says of each answer whether it was kept: HIT, MISS, STALE."),
    ] = False
