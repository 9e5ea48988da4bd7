"""What the next request meets once N are in flight: the table `[admission]`. No behaviour.

It stands beside `[edge]`, since workers without an edge keep it too.
"""

from __future__ import annotations

import math
from typing import Annotated

from msgspec import Meta, Struct

from holdfast.model.front.units import Seconds

_Path = Annotated[str, Meta(pattern=r"^/[A-Za-z0-9._~/-]*$")]


class Admission(Struct, frozen=True, forbid_unknown_fields=True):
    """Whether requests beyond N wait for a place, for how long, and what they are told then."""

    wait: Annotated[
        Seconds | None,
        Meta(
            description="How long a request beyond N waits for a place before it is told 503; "
            "`0s`: it is told at once. None: no request is refused for its number."
        ),
    ] = None
    retry_after: Annotated[
        Seconds,
        Meta(description="When a refused client is asked to come again (`Retry-After`)."),
    ] = 1.0
    health: Annotated[
        tuple[_Path, ...],
        Meta(description="Paths that need no place, such as those that a balancer asks."),
    ] = ()

    @property
    def retry_after_s(self) -> int:
        """Whole seconds, as the header has them."""
        return math.ceil(self.retry_after)
