"""When a worker is replaced by itself: the table `[care]` of `holdfast.toml`. No behaviour."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from holdfast.model.front.units import Bytes, Count, Seconds


class Care(Struct, frozen=True, forbid_unknown_fields=True):
    """What each worker may become before another takes its slot."""

    max_age: Annotated[
        Seconds,
        Meta(description="How long a worker serves at most; `0s`: as long as it runs."),
    ] = 0.0
    max_requests: Annotated[
        Count | None,
        Meta(description="How many requests a worker answers at most. None: all that come."),
    ] = None
    memory: Annotated[
        Bytes | None,
        Meta(
            description="Memory of its own that a worker may take. None: what the plan gives it "
            "and its part of what the plan leaves; `0`: it is not looked at."
        ),
    ] = None
    deaf: Annotated[
        Seconds,
        Meta(
            description="How long a worker may leave its supervisor without an answer; "
            "`0s`: it is not asked."
        ),
    ] = 30.0
