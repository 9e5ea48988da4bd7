"""How many workers there shall be, as the load asks for: the table `[scale]` of `holdfast.toml`.

No behaviour but arithmetic: what lies between its marks.
"""

from __future__ import annotations

import math
from typing import Annotated

from msgspec import Meta, Struct, field

from holdfast.model.front.units import Count, Seconds

_Share = Annotated[float, Meta(gt=0, le=1)]


class Scale(Struct, frozen=True, forbid_unknown_fields=True):
    """Between how many workers, at which marks and how fast; without `max` nothing is scaled."""

    most: Annotated[
        Count | None,
        Meta(description="The most workers. None: as many as planned, or as `scale` asks for."),
    ] = field(default=None, name="max")
    fewest: Annotated[Count, Meta(description="The fewest workers.")] = field(default=1, name="min")
    high: Annotated[
        _Share,
        Meta(
            description="Part of what the present workers are planned to hold, from which on more "
            "are started."
        ),
    ] = 0.8
    low: Annotated[
        _Share,
        Meta(
            description="Part of what fewer workers are planned to hold, up to which there are so "
            "few."
        ),
    ] = 0.5
    lag: Annotated[
        Seconds,
        Meta(
            description="How late the loops of workers may be (the middle one of them) before one "
            "more is started; `0s`: it is not looked at."
        ),
    ] = 0.25
    wait: Annotated[
        Seconds,
        Meta(
            description="How long requests may wait for a place before one more worker is started; "
            "`0s`: it is not looked at."
        ),
    ] = 0.5
    up_after: Annotated[
        Seconds, Meta(description="For how long it is looked before workers are added.")
    ] = 10.0
    down_after: Annotated[
        Seconds, Meta(description="For how long it is looked before workers are let go.")
    ] = 300.0
    step: Annotated[
        Count | None,
        Meta(description="The most workers added or let go at once. None: as many as it takes."),
    ] = None

    def __post_init__(self) -> None:
        if self.low >= self.high:
            raise ValueError("`low` has to be below `high`")
        if self.most is not None and self.most < self.fewest:
            raise ValueError("`max` has to be `min` or more")

    @property
    def aim(self) -> float:
        """What is filled of new workers' capacity: as far below `high` as above `low`, by factor.

        Load that changes by less than that factor afterwards changes nothing: sqrt(high / low).
        """
        return math.sqrt(self.high * self.low)
