"""Which range of outgoing ports has enough of them and collides with no listener. No I/O."""

from __future__ import annotations

import msgspec

from holdfast.programs.ports import HIGHEST_PORT, usable
from holdfast.programs.tunables import LOWEST_OUTGOING


class Range(msgspec.Struct, frozen=True):
    """Ports `low` to `high`, both given out, without the `reserved` ones."""

    low: int
    high: int
    reserved: frozenset[int]


def widest(now: Range, listening: frozenset[int]) -> Range:
    """The most that may be proposed: from 10,240 up, every listener kept back."""
    low = min(now.low, LOWEST_OUTGOING)
    return Range(low, HIGHEST_PORT, now.reserved | _inside(listening, low, HIGHEST_PORT))


def widened(now: Range, ports: int, listening: frozenset[int]) -> Range | None:
    """The least widening of `now` to `ports` ports; None where 10,240 to 65,535 is not enough.

    A range without listeners in it comes first: nothing is reserved then. Else exactly the
    listeners in the range are, beside what is reserved now.
    """
    ends = sorted({now.high, HIGHEST_PORT})
    for high in ends:
        found = _lowest(now, high, ports, now.reserved)
        if found is not None and not _inside(listening, found.low, high) - now.reserved:
            return found
    for high in ends:
        found = _lowest(now, high, ports, now.reserved | listening)
        if found is not None:
            kept = now.reserved | _inside(listening, found.low, high)
            return Range(found.low, high, kept)
    return None


def _lowest(now: Range, high: int, ports: int, reserved: frozenset[int]) -> Range | None:
    """The range up to `high` with the highest low end that gives `ports`, no narrower than now."""
    low = now.low
    while usable(low, high, reserved) < ports:
        low -= ports - usable(low, high, reserved)
        if low < LOWEST_OUTGOING:
            return None
    return Range(low, high, reserved)


def _inside(ports: frozenset[int], low: int, high: int) -> frozenset[int]:
    return frozenset(port for port in ports if low <= port <= high)
