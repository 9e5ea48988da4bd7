"""Which file knows which program, and all limits of a path. Adding a program is one line here."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from holdfast.model.holding import walls
from holdfast.model.limit import Holds, Limit
from holdfast.model.path import Demand, Hop, Path
from holdfast.model.values import Source, Value
from holdfast.programs import (
    admission,
    generator,
    granian,
    gunicorn,
    haproxy,
    haproxy_rows,
    hosts,
    hypercorn,
    kernel,
    nginx,
    nginx_rows,
    service,
    tornado,
    uvicorn,
)
from holdfast.programs.rows import Setting, effective
from holdfast.programs.sockets import grouped

LIMITS: dict[str, Callable[[Hop, Path, Demand], tuple[Limit, ...]]] = {
    "kernel": kernel.limits,
    "nginx": nginx.limits,
    "haproxy": haproxy.limits,
    "uvicorn": uvicorn.limits,
    "gunicorn": gunicorn.limits,
    "hypercorn": hypercorn.limits,
    "granian": granian.limits,
    "tornado": tornado.limits,
    "holdfast-load": generator.limits,
    "service": service.limits,
    "hosts": hosts.limits,
}
ROWS: dict[str, tuple[Setting, ...]] = {
    "nginx": nginx_rows.ROWS,
    "haproxy": haproxy_rows.ROWS,
    "uvicorn": uvicorn.ROWS,
    "gunicorn": gunicorn.ROWS,
    "hypercorn": hypercorn.ROWS,
    "granian": granian.ROWS,
    "tornado": tornado.ROWS,
}
"""Every setting of a program whose files people write."""
RUN: dict[str, str] = {
    "gunicorn": gunicorn.RUN,
    "uvicorn": uvicorn.RUN,
    "hypercorn": hypercorn.RUN,
    "granian": granian.RUN,
    "tornado": tornado.RUN,
}
"""The version of each server of Python apps whose limits were run: no distribution's."""


def completed(hop: Hop) -> Hop:
    """The hop with every setting: what nobody stated is the program's default, and says so.

    A backlog that gunicorn's workers do not listen with is what they do listen with, with what was
    asked for as `configured`.
    """
    found = [effective(hop, row) for row in ROWS.get(hop.program, ()) if hop.get(row.name) is None]
    values = (*hop.values, *(value for value in found if value.value is not None))
    done = msgspec.structs.replace(hop, values=values)
    real = gunicorn.backlog(done) if hop.program == "gunicorn" else None
    asked = done.get("backlog")
    if real is None or asked is None or asked.value == real:
        return done
    why = f"gunicorn's {gunicorn.worker_class(hop)} workers listen again"
    cut = Value("backlog", real, Source.DEFAULT, why, asked.place, asked)
    return msgspec.structs.replace(done, values=(*values, cut))


def path_limits(path: Path, demand: Demand) -> tuple[Limit, ...]:
    """Every limit of every hop whose program is modelled; the others hold what nobody knows."""
    return tuple(
        limit
        for hop in path.hops
        if hop.program in LIMITS
        for limit in (
            *(grouped(limit, hop, path) for limit in LIMITS[hop.program](hop, path, demand)),
            *admission.limits(hop, path, demand),
        )
    )


def path_walls(path: Path, demand: Demand) -> tuple[tuple[Limit, Holds], ...]:
    """Every limit of the path with what it holds, narrowest first."""
    return walls(path_limits(path, demand), demand)
