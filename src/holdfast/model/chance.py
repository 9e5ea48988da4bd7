"""The two distributions the model needs: the binomial's tail and Erlang C. Pure arithmetic."""

from __future__ import annotations

import math
from functools import lru_cache

_MOST_STEPS = 10_000


@lru_cache(maxsize=65_536)
def fullest(items: int, bins: int, miss: float) -> int:
    """How many of `items` the fullest of `bins` holds, hashed evenly, but for a chance `miss`.

    The binomial quantile with p = 1/bins at `miss` (for one bin; a bin is one process, and the
    promise is a process's). For 50,000 over 4 at 1e-9 the normal approximation gives 13,081.
    """
    if bins <= 1 or items == 0:
        return items
    mean = items / bins
    spread = math.sqrt(mean * (1 - 1 / bins))
    low, high = math.ceil(mean), min(items, math.ceil(mean + 40 * spread + 200))
    while low < high:
        middle = (low + high) // 2
        if _binomial_above(middle, items, 1 / bins) <= miss:
            high = middle
        else:
            low = middle + 1
    return low


def fullest_by(items: int, together: float, bins: int, miss: float) -> int:
    """`fullest`, where items fall `together` at a time, as the requests of one connection do."""
    if together <= 1:
        return fullest(items, bins, miss)
    return min(items, math.ceil(fullest(math.ceil(items / together), bins, miss) * together))


@lru_cache(maxsize=65_536)
def fits(items: int, bins: int, miss: float, room: int) -> bool:
    """Whether `fullest` is at most `room`: one look at the tail, where finding it takes ten."""
    if bins <= 1 or items <= room:
        return items <= room
    return room >= math.ceil(items / bins) and _binomial_above(room, items, 1 / bins) <= miss


def fits_by(items: int, together: float, bins: int, miss: float, room: int) -> bool:
    """Whether `fullest_by` is at most `room`."""
    if together > 1 and items > room:
        whole = int(room // together)
        whole += math.ceil((whole + 1) * together) <= room  # as `fullest_by` rounds
        items, room = math.ceil(items / together), whole
    return fits(items, bins, miss, room)


def _binomial_above(count: int, items: int, p: float) -> float:
    """P(X > count) for X ~ Binomial(items, p) and count at or above the mean.

    That is the incomplete beta function I_p(count + 1, items - count), by its continued fraction
    (DLMF 8.17.22, by Lentz's method): so far out it settles in tens of steps, for any `items`.
    """
    if count >= items:
        return 0.0
    a, b = count + 1.0, float(items - count)
    front = math.exp(
        math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(p) + b * math.log1p(-p)
    )
    c, d = 1.0, 1 / (1 - (a + b) * p / (a + 1))
    fraction = d
    for m in range(1, _MOST_STEPS):
        even = m * (b - m) * p / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * p / ((a + 2 * m) * (a + 2 * m + 1))
        before = fraction
        for part in (even, odd):
            c, d = 1 + part / c, 1 / (1 + part * d)
            fraction *= c * d
        if abs(fraction / before - 1) < 1e-12:
            break
    return front * fraction / a


def erlang_c(servers: int, erlangs: float) -> float:
    """The chance that an arrival waits in M/M/`servers` offered `erlangs` of work (below servers).

    By the Erlang B recurrence, which does not overflow.
    """
    if erlangs >= servers:
        return 1.0
    blocked = 1.0
    for k in range(1, servers + 1):
        blocked = erlangs * blocked / (k + erlangs * blocked)
    return blocked / (1 - (erlangs / servers) * (1 - blocked))


def mean_wait(servers: int, erlangs: float) -> float:
    """Mean wait of an arrival in M/M/`servers`, in service times; infinite at utilisation 1."""
    if erlangs >= servers:
        return math.inf
    return erlang_c(servers, erlangs) / (servers - erlangs)
