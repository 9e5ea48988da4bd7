"""What a path holds, which line stops it, which laws it breaks, and what was assumed. No I/O."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from holdfast.checks.catalog import ORDER, broken
from holdfast.checks.law import Subject, number_of
from holdfast.checks.walls import binding
from holdfast.model.finding import Finding
from holdfast.model.holding import UNLIMITED
from holdfast.model.limit import Holds, Limit
from holdfast.model.path import Demand, Path
from holdfast.model.values import Source, Value
from holdfast.programs.catalog import path_walls
from holdfast.programs.sockets import EDGES, dialler

HTTP2 = "http2"
"""A hop's value: whether clients may speak HTTP/2 to it."""
STREAMS = {"nginx": "http2_max_concurrent_streams", "haproxy": "tune_h2_max_concurrent_streams"}
DEFAULT_STREAMS = 100
"""What RFC 9113 (6.5.2) asks a server to allow at least, where it says nothing."""


class Audit(msgspec.Struct, frozen=True):
    """What an audit found.

    `holds` is the smallest of all walls, which come narrowest first. `other_ways` is what the same
    path holds of clients that speak the other HTTP: (streams a connection, holds), for a path that
    takes both. `assumed` are the values that no file stated and that the answer rests on.
    """

    path: Path
    demand: Demand
    target: int | None
    holds: Holds
    walls: tuple[tuple[Limit, Holds], ...]
    findings: tuple[Finding, ...]
    assumed: tuple[Value, ...]
    other_ways: tuple[tuple[float, Holds], ...] = ()

    @property
    def narrowest(self) -> tuple[Limit, Value | None] | None:
        """The limit that stops it, and the value that makes it so; None where nothing is known."""
        if not self.walls or self.walls[0][1].best >= UNLIMITED:
            return None
        return self.walls[0][0], binding(self.walls[0][0])

    @property
    def is_enough(self) -> bool:
        """Whether the target, if there is one, is surely held."""
        return self.target is None or self.holds.sure >= self.target


def audit(
    path: Path, demand: Demand, target: int | None = None, problems: Iterable[Finding] = ()
) -> Audit:
    """Audit a path for clients that arrive as `demand` says; with a target, which is its number.

    `problems` are what the readers found. Raises ValueError for a target that is not the demand's.
    """
    if target is not None and target != demand.in_flight:
        raise ValueError(f"a target of {target} for a demand of {demand.in_flight}")
    walls = path_walls(path, demand)
    laws = broken(Subject(path, demand, target, walls))
    found = sorted((*problems, *laws), key=lambda finding: ORDER.index(finding.severity))
    return Audit(
        path,
        demand,
        target,
        smallest(walls),
        walls,
        tuple(found),
        _assumed(path, walls),
        _other_ways(path, demand),
    )


def smallest(walls: Iterable[tuple[Limit, Holds]]) -> Holds:
    """What all walls together hold: the smallest of each of the three numbers."""
    held = [holds for _, holds in walls] or [Holds(UNLIMITED, UNLIMITED, UNLIMITED)]
    return Holds(
        min(each.sure for each in held),
        min(each.onset for each in held),
        min(each.best for each in held),
    )


def _assumed(path: Path, walls: tuple[tuple[Limit, Holds], ...]) -> tuple[Value, ...]:
    """What was assumed of hosts and hops, and defaults that a wall rests on."""
    values = [v for host in path.hosts for v in host.values]
    values += [v for hop in path.hops for v in hop.values]
    told = [v for v in values if v.source is Source.ASSUMED]
    rests = [
        v
        for limit, held in walls
        if held.best < UNLIMITED
        for v in limit.inputs
        if v.source in {Source.DEFAULT, Source.ASSUMED}
    ]
    return tuple(dict.fromkeys((*rests, *told)))


def _other_ways(path: Path, demand: Demand) -> tuple[tuple[float, Holds], ...]:
    """What is held of clients with many streams a connection, or with one if many were told."""
    fronts = [h for h in path.hops if h.program in EDGES and dialler(h, path) is None]
    both = [h for h in fronts if (said := h.get(HTTP2)) is not None and said.value]
    if not both:
        return ()
    streams = 1.0
    if demand.streams <= 1:
        told = [number_of(hop.get(STREAMS[hop.program])) for hop in both]
        streams = min(number or DEFAULT_STREAMS for number in told)
    other = msgspec.structs.replace(demand, streams=streams)
    return ((streams, smallest(path_walls(path, other))),)
