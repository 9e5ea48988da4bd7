"""What every server of an app has: one or several sockets, descriptors, an event loop. No I/O."""

from __future__ import annotations

import math

import msgspec

from holdfast.model.limit import Act, Full, Limit, Scope
from holdfast.model.path import Demand, Hop, Path, Spread
from holdfast.model.values import Value
from holdfast.programs.rows import Setting, counted, effective, number
from holdfast.programs.sockets import (
    addresses,
    arriving,
    dialled,
    dialler,
    forks,
    kept_idle,
    one_socket,
    uneven,
)

EVENT_LOOP_SHARE = 0.7
"""The part of a core that one event loop is planned to use (design: rate x CPU <= cores x 0.7)."""

WAITS = Full(Act.QUEUES, told="waits in the accept queue")
"""A process that is full accepts nothing, so that another one does, or nobody."""
CLOSED = Full(Act.CLOSES, told="accepted, then closed (EMFILE)")
"""uvloop without a descriptor takes a connection by one that it keeps, and closes it."""
CLOSED_BEHIND = Full(Act.REFUSES, told="502 of the edge: accepted, then closed (EMFILE)")
PAUSES = Full(Act.QUEUES, told="waits: accepting pauses for a second (EMFILE)")
"""asyncio without a descriptor leaves the connection in the accept queue, as our Tornado does."""
TRIES = Full(Act.QUEUES, told="waits: accepting is tried again and again (EMFILE), a core busy")
"""granian and Tornado's own accepting do not pause."""

BACKLOG = Setting(
    "backlog",
    "connections",
    2048,
    "0.1",
    "kernel, cut to somaxconn",
    "Connections that wait in the accept queue of one listening socket.",
)
NOFILE = Setting(
    "nofile",
    "descriptors",
    None,
    "",
    "kernel (RLIMIT_NOFILE)",
    "Open descriptors of one process. Past it uvloop accepts a connection and closes it.",
)
WORKERS = Setting(
    "workers",
    "processes",
    1,
    "0.1",
    "the program",
    "Worker processes, all of which accept from one listening socket.",
)


def taken(
    hop: Hop, path: Path, demand: Demand, *, stops: bool, http2: bool = True
) -> tuple[float, float, Spread]:
    """What reaches the hop, as `arriving` says, where its processes may share a socket.

    `stops`: a full process accepts no more, so that the others take what comes. Clients of a
    server without HTTP/2 use a connection a request.
    """
    seen = demand if http2 else msgspec.structs.replace(demand, streams=1.0)
    connections, idle, spread = arriving(hop, path, seen)
    if addresses(hop, path) < hop.processes and forks(hop, path):
        shared = Spread.LEAVES if stops else Spread.RACE
        spread = shared if one_socket(hop, path) else Spread.HASH
    return connections, idle, spread


def descriptors(
    hop: Hop, path: Path, demand: Demand, *, own: float = 0.0, full: Full = CLOSED
) -> Limit:
    """Descriptors of each process; `own` are those of an idle one, where none were counted."""
    nofile, counts = effective(hop, NOFILE), hop.get("own_descriptors")
    if full.act is Act.CLOSES and dialler(hop, path) is not None:
        full = CLOSED_BEHIND
    own, kept = number(hop, "own_descriptors", own), kept_idle(hop, path)
    more = uneven(hop, path)
    arrived, idle, spread = taken(hop, path, demand, stops=full.act is Act.QUEUES)
    each = arrived + dialled(hop, demand)
    return counted(
        hop.name,
        "descriptors",
        capacity=math.inf if nofile.value is None else nofile.number,
        own=own + kept + more * each,
        per_request=each,
        per_idle=idle,
        scope=Scope.PROCESS,
        scopes=hop.processes,
        spread=spread,
        full=full,
        enforcer=NOFILE.enforced_by,
        inputs=tuple(v for v in (nofile, counts) if v is not None),
        formula=f"{each:g} a request, "
        + (f"{kept:,.0f} idle ones of the edge" if kept else "1 an idle client")
        + (f", {more:g} requests above an even share" if more else "")
        + f", {own:g} of its own",
    )


def event_loop(hop: Hop) -> Limit | None:
    """The rate that one event loop a process keeps up; None where nobody measured a request."""
    cpu = hop.get("request_cpu_s")
    if cpu is None or cpu.value is None:
        return None
    return Limit(
        hop=hop.name,
        resource="event loop",
        scope=Scope.PROCESS,
        scopes=hop.processes,
        bounds="rate",
        capacity=1.0,
        own=0.0,
        per_request=cpu.number,
        per_idle=0.0,
        yields=False,
        onset=EVENT_LOOP_SHARE,
        spread=Spread.HASH,
        full=Full(Act.SLOWS, told="answers take longer"),
        enforcer="kernel (scheduler)",
        inputs=(cpu,),
        formula=f"rate / {hop.processes} x {cpu.number * 1e6:.0f} us <= {EVENT_LOOP_SHARE} core",
    )


def of_each(
    hop: Hop,
    resource: str,
    capacity: float,
    inputs: tuple[Value, ...],
    formula: str,
    *,
    spread: Spread,
    per_request: float = 1.0,
    per_idle: float = 0.0,
    own: float = 0.0,
    full: Full = WAITS,
    enforcer: str = "",
) -> Limit:
    """A cap that each process of the hop has for itself, enforced by its program unless told."""
    return counted(
        hop.name,
        resource,
        capacity=capacity,
        own=own,
        per_request=per_request,
        per_idle=per_idle,
        scope=Scope.PROCESS,
        scopes=hop.processes,
        spread=spread if hop.processes > 1 else Spread.ONLY,
        full=full,
        enforcer=enforcer or hop.program,
        inputs=inputs,
        formula=formula,
    )


def unenforced(hop: Hop, written: Value, why: str) -> Limit:
    """A number that somebody wrote and nobody enforces: it bounds nothing, so it is no wall."""
    return counted(
        hop.name,
        written.setting,
        capacity=math.inf,
        per_request=1.0,
        scope=Scope.PROCESS,
        scopes=hop.processes,
        full=Full(Act.LEAVES, told="is let in"),
        enforcer="",
        inputs=(written,),
        formula=f"`{written.setting}` {written.value}: {why}",
    )
