"""Pages that the edge answers in place of its own: the rows `[[edge.errors]]`."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from holdfast.model.front.files import Name

Status = Annotated[int, Meta(ge=400, le=599)]


class ErrorPage(Struct, frozen=True, forbid_unknown_fields=True):
    """What clients are shown where the edge itself answers with one of these."""

    status: Annotated[
        tuple[Status, ...],
        Meta(min_length=1, description="The statuses that it is for, such as `[502, 503, 504]`."),
    ]
    page: Annotated[
        Name,
        Meta(description="The file (HTML); a relative path starts at the folder of holdfast.toml."),
    ]
    json: Annotated[
        Name | None,
        Meta(description="A file for clients who ask for JSON (`Accept: application/json`)."),
    ] = None
    of_app: Annotated[
        bool,
        Meta(description="In place of the app's own answers of these statuses too."),
    ] = False
