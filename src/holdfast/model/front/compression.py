"""Which answers are compressed for clients who take it: the table `[edge.compression]`."""

from __future__ import annotations

from typing import Annotated, Final

from msgspec import Meta, Struct

from holdfast.model.front.units import Bytes

Type = Annotated[str, Meta(pattern=r"^[a-z0-9.+-]+/[a-z0-9.+-]+$")]

USUAL_TYPES: Final = (
    *("text/html", "text/css", "text/plain", "text/javascript", "text/csv", "text/xml"),
    *("application/json", "application/javascript", "application/xml", "application/rss+xml"),
    *("application/manifest+json", "application/wasm", "image/svg+xml"),
)
"""Text, and what is as good as text; images, films and archives are compressed already."""


class Compression(Struct, frozen=True, forbid_unknown_fields=True):
    """Of answers that are not compressed already; their ETag is then a weak one."""

    types: Annotated[
        tuple[Type, ...], Meta(min_length=1, description="Of these types, text by default.")
    ] = USUAL_TYPES
    level: Annotated[
        int,
        Meta(ge=1, le=9, description="1 is quick, 9 is small; past 5 or 6 little is gained."),
    ] = 4
    least: Annotated[
        Bytes | None,
        Meta(
            description="A shorter answer is left as it is: 1 KiB where nothing is said. "
            "HAProxy knows no such length."
        ),
    ] = None
    brotli: Annotated[
        bool,
        Meta(
            description="Clients who take brotli get that: only where nginx has the module for it."
        ),
    ] = False
