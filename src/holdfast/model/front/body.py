"""What a request may bring: the table `[edge.body]`. No behaviour."""

from __future__ import annotations

from typing import Annotated, Final

from msgspec import Meta, Struct

from holdfast.model.front.units import Bytes

USUAL_MOST: Final = 1_048_576
"""nginx's default of `client_max_body_size`."""


class Body(Struct, frozen=True, forbid_unknown_fields=True):
    """Limits of a request's body."""

    most: Annotated[Bytes, Meta(description="The largest body; a larger one is answered 413.")] = (
        USUAL_MOST
    )
    buffered: Annotated[
        bool,
        Meta(
            description="The edge has the whole body before a worker is asked, so that a slow "
            "client costs no worker; off, the app reads while it comes."
        ),
    ] = True
    memory: Annotated[
        Bytes | None,
        Meta(
            description="What of a body stays in memory; a larger one is a file on disk, whole. "
            "16 KiB where nothing is said. HAProxy has its buffer, and no files."
        ),
    ] = None
