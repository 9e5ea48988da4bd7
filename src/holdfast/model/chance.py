"""The two distributions the model needs: the binomial's tail and Erlang C. Pure arithmetic."""

from __future__ import annotations

import math
from functools import lru_cache


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


def _binomial_above(count: int, items: int, p: float) -> float:
    """P(X > count) for X ~ Binomial(items, p) and count at or above the mean: terms only fall."""
    if count >= items:
        return 0.0
    first = count + 1
    term = math.exp(
        math.lgamma(items + 1)
        - math.lgamma(first + 1)
        - math.lgamma(items - first + 1)
        + first * math.log(p)
        + (items - first) * math.log1p(-p)
    )
    total, odds = 0.0, p / (1 - p)
    for k in range(first, items + 1):
        total += term
        term *= (items - k) / (k + 1) * odds
        if term < total * 1e-12:
            break
    return total


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
