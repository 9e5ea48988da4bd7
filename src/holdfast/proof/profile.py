"""Fits what one request costs to what several loads took. Pure: counts in, numbers and doubts out.

Must not know how load is made, where a profile is kept, or what a plan does with it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean, linear_regression
from typing import Final

import msgspec

from holdfast.model.errors import HoldfastError
from holdfast.proof.watch import EDGE, WORKERS

OFF_MOST: Final = 0.2
"""A fit whose 95 % interval is wider than a fifth of a request's bytes either way predicts little:
the kernel's part of a request, which is known, halves that for a small app, but for no other."""
ANSWERS_LEAST: Final = 100
"""Fewer answers say nothing of a request's processor time: one pause would be in each of them."""
TICK_S: Final = 0.01
"""The kernel tells a process's processor time in hundredths of a second (proc(5), USER_HZ)."""
QUANTILES: Final = {1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 6: 2.447, 7: 2.365, 8: 2.306}
"""Student's t, 97.5 %, by degrees of freedom; beyond the table its last row is on the safe side."""


class Unfit(HoldfastError):
    """The loads do not lie on a line, so nothing may be predicted. Exit code 3, void."""

    exit_code = 3


class Load(msgspec.Struct, frozen=True):
    """One load that was held, and what each group of processes took at its end.

    `clients` occupied and `idle` ones; `answers` in `seconds`, and `cpu_s` over the same time.
    `bytes` is anonymous memory of all the group's `processes` together. `descriptors` are open in
    all workers together.
    """

    clients: int
    idle: int
    answers: int
    seconds: float
    processes: dict[str, int]
    bytes: dict[str, int]
    cpu_s: dict[str, float]
    descriptors: int


class Cost(msgspec.Struct, frozen=True):
    """What one program takes; `*_off` is how far off it may be, at 95 %, in the same unit.

    `residual_bytes`: measured less fitted, of each load without idle clients, in their order.
    Units of a service's request are calls, of the workers' requests in flight.
    """

    base_bytes: float
    request_bytes: float
    request_bytes_off: float
    idle_bytes: float
    request_cpu_s: float
    request_cpu_s_off: float
    own_descriptors: int
    shared_descriptors: int
    residual_bytes: tuple[float, ...]


def fit_service(loads: Sequence[Load], name: str, *, calls_held: float, calls_made: float) -> Cost:
    """The cost of a service that ran beside, by its calls: `calls_held` of a request in flight,
    `calls_made` by a request in all. What noise brought below 0 is 0. Raises Unfit.
    """
    cost = _fit(loads, name)
    return msgspec.structs.replace(
        cost,
        base_bytes=max(0.0, cost.base_bytes),
        request_bytes=max(0.0, cost.request_bytes) / calls_held,
        request_bytes_off=cost.request_bytes_off / calls_held,
        idle_bytes=0.0,
        request_cpu_s=cost.request_cpu_s / calls_made,
        request_cpu_s_off=cost.request_cpu_s_off / calls_made,
    )


def fit_edge(loads: Sequence[Load]) -> Cost:
    """The cost of the edge before the workers, a connection that it keeps idle included.

    Raises Unfit where there are too few loads for a line.
    """
    return _fit(loads, EDGE)


def _fit(loads: Sequence[Load], group: str) -> Cost:
    """bytes = processes x base + clients x request + idle clients x idle, by least squares.

    A line through the loads without idle clients; the one with them gives theirs.
    """
    line = [load for load in loads if not load.idle]
    if len({load.clients for load in line}) < 3:
        raise Unfit(f"{len(line)} loads are too few for a line", hint="hold more requests")
    clients, sizes = [load.clients for load in line], [load.bytes[group] for load in line]
    slope, start = linear_regression(clients, sizes)
    residuals = [y - start - slope * x for x, y in zip(clients, sizes, strict=True)]
    processes = line[-1].processes[group]
    cpu_s, cpu_s_off = _cpu(loads, group)
    return Cost(
        base_bytes=start / processes,
        request_bytes=slope,
        request_bytes_off=_slope_off(clients, residuals),
        idle_bytes=_idle_bytes(loads, group, start, slope),
        request_cpu_s=cpu_s,
        request_cpu_s_off=cpu_s_off,
        own_descriptors=0,
        shared_descriptors=0,
        residual_bytes=tuple(round(residual) for residual in residuals),
    )


def fit_workers(loads: Sequence[Load], *, open_before: int, ends: float) -> Cost:
    """The cost of the workers, their descriptors with it.

    `open_before` descriptors were open in all workers together before any client, and one request
    opens `ends`. What is open beyond is shared by all requests. Raises Unfit where the line is bad,
    a request seems to cost nothing, or too few were answered.
    """
    cost = _fit(loads, WORKERS)
    hint = "take it again on a quiet machine, or with more in flight"
    if cost.request_bytes <= 0 or cost.base_bytes < 0:
        fault = (
            f"a request seems to take {cost.request_bytes:,.0f} bytes and a process "
            f"{cost.base_bytes:,.0f}: no line fits the loads"
        )
        raise Unfit(fault, hint=hint)
    if cost.request_bytes_off > OFF_MOST * cost.request_bytes:
        fault = (
            f"a request takes {cost.request_bytes:,.0f} bytes, give or take "
            f"{cost.request_bytes_off:,.0f}: over {OFF_MOST:.0%} it predicts nothing"
        )
        raise Unfit(fault, hint=hint)
    if (answers := sum(load.answers for load in loads)) < ANSWERS_LEAST:
        fault = f"{answers:,} answers are too few to know a request's processor time"
        raise Unfit(fault, hint="give a shorter --mean-time, a longer --hold, or more in flight")
    workers = loads[0].processes[WORKERS]
    beyond = [x.descriptors - open_before - ends * x.clients - x.idle for x in loads]
    shared = math.ceil(max(0.0, *beyond) / workers)
    own = math.ceil(open_before / workers) + shared
    return msgspec.structs.replace(cost, own_descriptors=own, shared_descriptors=shared)


def _cpu(loads: Sequence[Load], group: str) -> tuple[float, float]:
    """Processor seconds of one more request, and how far off, at 95 %.

    A line of busy over rate, since a process that wakes for a timer or a single request takes time
    that does not grow with the rate. Where the line falls or starts below 0, the plain quotient.
    """
    rates = [load.answers / load.seconds for load in loads]
    busy = [load.cpu_s[group] / load.seconds for load in loads]
    slope, start = linear_regression(rates, busy) if len(set(rates)) > 2 else (0.0, 0.0)
    if slope > 0 and start >= 0:
        residuals = [y - start - slope * x for x, y in zip(rates, busy, strict=True)]
        return slope, _slope_off(rates, residuals)
    answers, cpu_s = sum(x.answers for x in loads), sum(x.cpu_s[group] for x in loads)
    ticks_s = TICK_S * loads[0].processes[group] * len(loads)
    return (cpu_s / answers, ticks_s / answers) if answers else (0.0, 0.0)


def _slope_off(at: Sequence[float], residuals: Sequence[float]) -> float:
    """Half the 95 % interval of a least-squares slope: t x sqrt(RSS / (n - 2) / Sxx)."""
    freedom, mean = len(at) - 2, fmean(at)
    spread = sum((x - mean) ** 2 for x in at)
    variance = sum(r * r for r in residuals) / freedom
    return QUANTILES[min(freedom, max(QUANTILES))] * math.sqrt(variance / spread)


def _idle_bytes(loads: Sequence[Load], group: str, start: float, slope: float) -> float:
    """Bytes of an idle client beyond the line, 0 where none was there; never below 0."""
    seen = [load for load in loads if load.idle]
    beyond = sum(load.bytes[group] - start - slope * load.clients for load in seen)
    return max(0.0, beyond / sum(load.idle for load in seen)) if seen else 0.0
