"""How many requests a limit holds (sure, onset, best), and a path's walls. Knows no program."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

import msgspec

from holdfast.model.chance import fits_by, fullest, mean_wait
from holdfast.model.limit import Holds, Limit
from holdfast.model.path import Count, Demand, Spread

UNLIMITED = 10**12
"""Stands for a limit that no demand reaches."""

SURE_WAIT = 0.1
"""A pool is `sure` while its mean wait is at most a tenth of the time a unit is held."""
ONSET_WAIT = 1.0
"""A pool's trouble begins (`onset`) where the mean wait equals the time a unit is held."""


def holds(limit: Limit, demand: Demand) -> Holds:
    """What `limit` holds of `demand`'s mix, in requests in flight.

    Counted limits: `best` fills every scope evenly; `onset` is the same at the limit's onset;
    `sure` is what the spreading rule can do at worst. Rates: N = rate x mean time (Little).
    """
    found = _rate_holds(limit, demand) if limit.bounds == "rate" else _count_holds(limit, demand)
    best = max(0, min(found.best, UNLIMITED))
    onset = max(0, min(found.onset, best))
    return Holds(max(0, min(found.sure, onset)), onset, best)


def walls(limits: Iterable[Limit], demand: Demand) -> tuple[tuple[Limit, Holds], ...]:
    """Every limit with what it holds, narrowest first."""
    found = [(limit, holds(limit, demand)) for limit in limits]
    return tuple(sorted(found, key=lambda wall: wall[1]))


def budget(count: Count, processes: int, per_process: float) -> float:
    """The most of a shared resource that a fleet can take: instances at high + surge, all full."""
    return (count.high + count.surge) * processes * per_process


def _count_holds(limit: Limit, demand: Demand) -> Holds:
    if limit.per_request <= 0 or math.isinf(limit.capacity):
        return Holds(UNLIMITED, UNLIMITED, UNLIMITED)
    idle = 0 if limit.yields else demand.idle
    free = limit.capacity - limit.own - limit.per_idle * idle / limit.scopes
    best = _per_scope(free, limit.per_request) * limit.scopes
    one = _per_scope(free * limit.onset, limit.per_request)
    onset = one * limit.scopes
    return Holds(_sure(limit, demand, one, onset, idle), onset, best)


def _sure(limit: Limit, demand: Demand, one: int, onset: int, idle: int) -> int:
    """What the spread can do at worst, given one scope's onset and all scopes' together."""
    if limit.groups > 1:
        return _in_groups(limit, demand, one, idle)
    if limit.spread is Spread.RACE and limit.scopes > 1:
        return one
    if limit.spread is Spread.LEAVES:
        return onset
    if limit.spread is Spread.HASH and limit.scopes > 1:
        parked = fullest(idle, limit.scopes, demand.miss) * limit.per_idle
        free = (limit.capacity - limit.own - parked) * limit.onset
        room = _per_scope(free, limit.per_request)
        by = limit.together
        return _largest(lambda n: fits_by(n, by, limit.scopes, demand.miss, room), onset)
    return onset - limit.scopes


def _in_groups(limit: Limit, demand: Demand, one: int, idle: int) -> int:
    """What the fullest group of scopes, or the fullest scope in it, lets all of them hold."""
    each = limit.scopes // limit.groups
    group = msgspec.structs.replace(limit, scopes=each, groups=1)
    room = _sure(group, demand, one, one * each, fullest(idle, limit.groups, demand.miss))
    if limit.among is Spread.HASH:
        by = limit.together
        most = room * limit.groups
        return _largest(lambda n: fits_by(n, by, limit.groups, demand.miss, room), most)
    return max(0, room - limit.apart) * limit.groups


def _rate_holds(limit: Limit, demand: Demand) -> Holds:
    """A rate: unit-seconds a request x rate <= units. A pool's wait grows long before that."""
    if limit.per_request <= 0 or math.isinf(limit.capacity):
        return Holds(UNLIMITED, UNLIMITED, UNLIMITED)
    units = limit.capacity - limit.own
    in_flight_an_erlang = limit.scopes * demand.mean_time_s / limit.per_request
    best = math.floor(units * in_flight_an_erlang + 1e-9)
    if not limit.servers:
        sure = math.floor(units * limit.onset * in_flight_an_erlang + 1e-9)
        return Holds(sure, sure, best)
    calm, busy = (
        math.floor(_offered(limit.servers, wait) * in_flight_an_erlang + 1e-9)
        for wait in (SURE_WAIT, ONSET_WAIT)
    )
    return Holds(calm, busy, best)


def _offered(servers: int, wait: float) -> float:
    """The erlangs at which the mean wait of a pool of `servers` reaches `wait` holding times."""
    low, high = 0.0, float(servers)
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if mean_wait(servers, middle) <= wait else (low, middle)
    return low


def _per_scope(free: float, per_request: float) -> int:
    return max(0, math.floor(free / per_request + 1e-9))


def _largest(fits: Callable[[int], bool], ceiling: int) -> int:
    """The largest n in [0, ceiling] that fits, where everything below one that fits fits."""
    low, high = 0, max(0, ceiling)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(middle) else (low, middle - 1)
    return low
