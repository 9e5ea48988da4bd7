"""What a sized path was planned to hold, limit by limit, and what the run really used of it.

Records and their making from the model. Must not know how anything is measured.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from holdfast.model.holding import UNLIMITED
from holdfast.model.limit import Holds, Limit
from holdfast.model.path import Demand

Key = tuple[str, str]
"""A limit's hop and resource."""

UNITS: Final = {
    "memory": "bytes",
    "processor": "cores",
    "event loop": "cores",
    "descriptors": "descriptors",
    "accept queue": "connections",
    "ports": "ports",
    "client sockets": "sockets",
    "open files": "files",
    "conntrack": "connections",
    "processes": "processes",
    "limit_concurrency": "requests",
}
"""The unit of a resource's capacity and use."""


class PlannedLimit(msgspec.Struct, frozen=True):
    """One limit of the plan beside what was used of it.

    `capacity` is of each of `scopes` equal scopes, in `unit`; None is unlimited. `sure`, `onset`
    and `best` are requests in flight; None is unlimited. `used` is the most that the run used on
    the fullest scope; None where nothing measured it. Of a rate (unit cores) it is the mean over
    the hold, of everything else the largest count that was seen in the run.
    """

    hop: str
    resource: str
    scope: str
    scopes: int
    capacity: float | None
    sure: int | None
    onset: int | None
    best: int | None
    unit: str
    used: float | None = None


class PlannedPath(msgspec.Struct, frozen=True):
    """What the path was sized for, narrowest limit first.

    `in_flight` counts every occupied client, those above the asked number too; `rate` is answers a
    second, in flight over mean time. `memory_bytes` is of everything on this host, `memory` the
    same by hop, each with the kernel's share for its sockets.
    """

    in_flight: int
    idle: int
    mean_time_s: float
    rate: float
    memory_bytes: int
    memory: dict[str, int]
    limits: list[PlannedLimit]


def planned_path(
    demand: Demand, walls: Iterable[tuple[Limit, Holds]], memory: Mapping[str, float]
) -> PlannedPath:
    """The record of a plan: its demand, its walls, and bytes by hop. Nothing is used yet."""
    return PlannedPath(
        in_flight=demand.in_flight,
        idle=demand.idle,
        mean_time_s=demand.mean_time_s,
        rate=round(demand.rate, 2),
        memory_bytes=int(sum(memory.values())),
        memory={name: int(size) for name, size in memory.items()},
        limits=[_limit(limit, holds) for limit, holds in walls],
    )


def with_used(planned: PlannedPath, used: Mapping[Key, float]) -> PlannedPath:
    """The same plan with what a run used; limits that nothing measured keep None."""
    limits = [
        msgspec.structs.replace(limit, used=used.get((limit.hop, limit.resource)))
        for limit in planned.limits
    ]
    return msgspec.structs.replace(planned, limits=limits)


def _limit(limit: Limit, holds: Holds) -> PlannedLimit:
    return PlannedLimit(
        hop=limit.hop,
        resource=limit.resource,
        scope=limit.scope.value,
        scopes=limit.scopes,
        capacity=None if limit.capacity == float("inf") else limit.capacity,
        sure=_known(holds.sure),
        onset=_known(holds.onset),
        best=_known(holds.best),
        unit=UNITS.get(limit.resource, ""),
    )


def _known(count: int) -> int | None:
    return None if count >= UNLIMITED else count
