"""Which file knows which program, and all limits of a path. Adding a program is one line here."""

from __future__ import annotations

from collections.abc import Callable

from holdfast.model.holding import walls
from holdfast.model.limit import Holds, Limit
from holdfast.model.path import Demand, Hop, Path
from holdfast.programs import generator, haproxy, kernel, nginx, service, uvicorn

LIMITS: dict[str, Callable[[Hop, Path, Demand], tuple[Limit, ...]]] = {
    "kernel": kernel.limits,
    "nginx": nginx.limits,
    "haproxy": haproxy.limits,
    "uvicorn": uvicorn.limits,
    "holdfast-load": generator.limits,
    "service": service.limits,
}


def path_limits(path: Path, demand: Demand) -> tuple[Limit, ...]:
    """Every limit of every hop whose program is modelled; the others hold what nobody knows."""
    return tuple(
        limit
        for hop in path.hops
        if hop.program in LIMITS
        for limit in LIMITS[hop.program](hop, path, demand)
    )


def path_walls(path: Path, demand: Demand) -> tuple[tuple[Limit, Holds], ...]:
    """Every limit of the path with what it holds, narrowest first."""
    return walls(path_limits(path, demand), demand)
