"""What a running stack has room for: workers that drain beside their successors, and more slots.

From a sized path; what is counted is memory, and what a plan leaves of it. No I/O.
"""

from __future__ import annotations

import math

import msgspec

from holdfast.model.path import Demand, Hop, Path, Spread
from holdfast.model.units import format_bytes
from holdfast.model.values import Value, derived
from holdfast.programs.catalog import path_limits, path_walls
from holdfast.programs.kernel import memory_parts
from holdfast.programs.sockets import dialler, uneven
from holdfast.sizing.counting import on_one

SPARE_FACTOR = 2
"""How many times the planned workers an edge names slots for, unless somebody says."""
LEAST_MARGIN = 1.25
"""A worker is not replaced below so many times its plan: a plan may be wrong by 15 % (law 3), and a
worker is replaced from 90 % of what it may take on (`policy.care.JITTER`)."""


def second_worker_bytes(path: Path, demand: Demand) -> float:
    """What a worker takes beside its successor: its start, and what it ever held at once.

    Its requests are among those in flight, but an interpreter gives nothing back before it ends.
    """
    workers = path.hop("workers")
    return _base_bytes(workers, path, demand) + _held_bytes(workers, path, demand)


def drains(path: Path, demand: Demand) -> Value:
    """How many slots may have two workers at a time: as many as memory is left for, one at least.

    All of them where nobody knows how much there is.
    """
    slots, each = path.hop("workers").processes, second_worker_bytes(path, demand)
    left = _left_bytes(path, demand)
    if left is None:
        return derived("drains", slots, "all: nobody says how much memory there is")
    fit = max(1, min(slots, math.floor(left / each)))
    why = f"{format_bytes(max(left, 0.0))} left / {format_bytes(each)} a worker that drains"
    short = "; one is more than there is room for" if left < each else ""
    return derived("drains", fit, f"{why}, of {slots}{short}")


def most_slots(path: Path, demand: Demand, asked: int | None = None) -> Value:
    """How many slots there may be: as asked, or twice those planned; no more than memory is for.

    Behind nginx only those planned unless more are asked for: it looks for one that is not there
    again and again, and each time its log says so.
    """
    workers = path.hop("workers")
    planned, front = workers.processes, dialler(workers, path)
    if asked is not None:
        wanted, why = max(asked, planned), "`--max-workers`, or `max` of `[scale]`"
    elif front is not None and front[0].program == "nginx":
        wanted, why = planned, "those planned; nginx has more where `--max-workers` asks for them"
    else:
        wanted, why = planned * SPARE_FACTOR, f"{SPARE_FACTOR} times those planned"
    left, base = _left_bytes(path, demand), _base_bytes(workers, path, demand)
    fit = wanted if left is None else planned + max(0, math.floor(left / base))
    if fit >= wanted:
        return derived("most", wanted, why)
    room = f"{format_bytes(max(left or 0.0, 0.0))} left / {format_bytes(base)} a worker"
    return derived("most", fit, f"{room} with nothing to do, and {planned} planned")


def worker_memory(path: Path, demand: Demand, slots: int) -> Value:
    """What one of `slots` workers may take of memory before another takes its place.

    What the plan gives it, and its part of what the plan leaves once one more runs meanwhile: were
    all of them so large, the host's memory would be used up. 0, which is no limit, where nobody
    knows how much there is.
    """
    planned, each = path.hop("workers").processes, second_worker_bytes(path, demand)
    left = _left_bytes(path, demand)
    if left is None:
        return derived("memory_bytes", 0, "not looked at: nobody says how much memory there is")
    left -= each + max(0, slots - planned) * _base_bytes(path.hop("workers"), path, demand)
    share = left / slots
    why = f"{format_bytes(each)} planned + {format_bytes(max(0.0, left))} left / {slots} workers"
    least = each * LEAST_MARGIN
    if each + share >= least:
        return derived("memory_bytes", int(each + share), why)
    return derived("memory_bytes", int(least), f"{LEAST_MARGIN} times the {why}, which is less")


def sure_by_slots(path: Path, demand: Demand, most: int) -> tuple[int, ...]:
    """How many requests in flight are sure with 1 worker, with 2, up to `most`."""
    return tuple(_sure(path, demand, count) for count in range(1, most + 1))


def _sure(path: Path, demand: Demand, count: int) -> int:
    hops = tuple(
        msgspec.structs.replace(hop, processes=count) if hop.name == "workers" else hop
        for hop in path.hops
    )
    scaled = msgspec.structs.replace(path, hops=hops)
    return min(holds.sure for _, holds in path_walls(scaled, demand))


def _base_bytes(workers: Hop, path: Path, demand: Demand) -> float:
    return memory_parts(workers, path, demand)[0] / workers.processes


def _held_bytes(workers: Hop, path: Path, demand: Demand) -> float:
    """Of the requests on the fullest worker, what the process itself has of them."""
    request, front = workers.get("request_bytes"), dialler(workers, path)
    spread = Spread.HASH if front is None else front[1].spread
    fullest = on_one(demand.in_flight, workers.processes, spread, demand.miss)
    fullest += uneven(workers, path)
    return 0.0 if request is None else fullest * request.number


def _left_bytes(path: Path, demand: Demand) -> float | None:
    """Memory that the plan leaves; None where nobody knows."""
    limits = (limit for limit in path_limits(path, demand) if limit.resource == "memory")
    limit = next(limits, None)
    if limit is None:
        return None
    taken = limit.own + limit.per_request * demand.in_flight + limit.per_idle * demand.idle
    return limit.capacity - taken
