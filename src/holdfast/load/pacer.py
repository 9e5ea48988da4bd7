"""Decides when each request of an open loop should go, before any goes.

Pure: the same plan gives the same times, and the processes' times are together what was asked. Must
not know a clock, or whether anybody keeps to it. (The idea is vegeta's pacer and wrk2's schedule.)
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator

from holdfast.load.plan import LoadPlan, share


def due_times(plan: LoadPlan, index: int) -> Iterator[int]:
    """The times of process `index`, in nanoseconds from the start, rising.

    All processes together have exactly `plan.requests` of them. Constant: every 1 / rate seconds,
    in turns. Poisson: as many, each anywhere in the time with equal chance, as arrivals of a
    Poisson process are once their number is known.
    """
    if plan.arrivals == "constant":
        every_ns = 1e9 / plan.rate
        turns = range(index, plan.requests, plan.processes)
        return (int(turn * every_ns) for turn in turns)
    draw = random.Random(f"{plan.seed}/{index}/arrivals")
    return _poisson(share(plan.requests, index, plan.processes), plan.for_s * 1e9, draw)


def _poisson(count: int, span_ns: float, draw: random.Random) -> Iterator[int]:
    """`count` times of equal chance over the span, in order, one exponential draw for each.

    The least of n uniform variables over a rest of time R is R (1 - exp(-E / n)), E exponential of
    mean 1 (Devroye, Non-Uniform Random Variate Generation, 1986, V.3.1).
    """
    at_ns = 0.0
    for left in range(count, 0, -1):
        at_ns -= (span_ns - at_ns) * math.expm1(-draw.expovariate(1.0) / left)
        yield int(at_ns)
