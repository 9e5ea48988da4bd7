"""What the sizings share: how much falls on one of several processes, and searches. No I/O."""

from __future__ import annotations

import math
from collections.abc import Callable

from holdfast.model.chance import fullest_by
from holdfast.model.path import Host, Spread

MOST_PROCESSES = 4096
"""No plan of one host goes past so many workers, whatever its pids limit says."""


def on_one(
    count: int,
    scopes: int,
    spread: Spread,
    miss: float,
    *,
    spare: bool = True,
    together: float = 1.0,
) -> int:
    """How many of `count` one scope must hold so that all of them are sure.

    `together` of them come by one connection, and are hashed as one.
    """
    if spread is Spread.HASH and scopes > 1:
        return fullest_by(count, together, scopes, miss)
    return math.ceil((count + (scopes if spare else 0)) / scopes)


def number(host: Host, setting: str, otherwise: float = math.inf) -> float:
    """A number of the host, or `otherwise` where it was not read."""
    found = host.get(setting)
    return otherwise if found is None or found.value is None else found.number


def smallest(holds: Callable[[int], bool], ceiling: int) -> int:
    """The smallest n in [1, ceiling] that holds, where everything above one that holds holds."""
    low, high = 1, 1
    while high < ceiling and not holds(high):
        low, high = high + 1, min(ceiling, high * 2)
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle + 1, high)
    return low


def largest(fits: Callable[[int], bool], ceiling: int) -> int:
    """The largest n in [0, ceiling) that fits, where everything below one that fits fits."""
    low, high = 0, ceiling - 1
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(middle) else (low, middle - 1)
    return low
