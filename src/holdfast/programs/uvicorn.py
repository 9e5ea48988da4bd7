"""uvicorn under our shim: its settings, and what one worker process holds. No I/O.

Run with uvloop and httptools. `limit_concurrency` is never written by us: it counts idle clients
and answers one fewer than its number.
"""

from __future__ import annotations

from holdfast.model.limit import Act, Full, Limit, Scope
from holdfast.model.path import Demand, Hop, Path, Spread
from holdfast.model.values import Value
from holdfast.programs.rows import Setting, counted, effective, number
from holdfast.programs.sockets import arriving, dialled, kept_idle, uneven

EVENT_LOOP_SHARE = 0.7
"""The part of a core that one event loop is planned to use (design: rate x CPU <= cores x 0.7)."""

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
KEEP_ALIVE_S = Setting(
    "keep_alive_s",
    "seconds",
    5,
    "0.1",
    "uvicorn",
    "How long an idle keep-alive connection stays open; longer than the dialler's idle timeout.",
)
GRACE_S = Setting(
    "grace_s",
    "seconds",
    None,
    "0.22",
    "uvicorn and the supervisor",
    "How long requests in flight may take to finish once a stop is asked for.",
)
LIMIT_CONCURRENCY = Setting(
    "limit_concurrency",
    "connections and tasks",
    None,
    "0.3",
    "uvicorn",
    "Connections, idle ones included, or tasks above which a request is answered 503.",
)
ROWS = (BACKLOG, NOFILE, KEEP_ALIVE_S, GRACE_S, LIMIT_CONCURRENCY)


def limits(hop: Hop, path: Path, demand: Demand) -> tuple[Limit, ...]:
    """Descriptors and event loop of each process, and `limit_concurrency` where it is set."""
    found = [_descriptors(hop, path, demand), _event_loop(hop)]
    cap = effective(hop, LIMIT_CONCURRENCY)
    if cap.value is not None:
        found.append(_concurrency(hop, path, demand, cap))
    return tuple(limit for limit in found if limit is not None)


def _descriptors(hop: Hop, path: Path, demand: Demand) -> Limit:
    nofile = effective(hop, NOFILE)
    own, kept, more = number(hop, "own_descriptors"), kept_idle(hop, path), uneven(hop, path)
    arrived, idle, spread = arriving(hop, path, demand)
    taken = arrived + dialled(hop, demand)
    return counted(
        hop.name,
        "descriptors",
        capacity=float("inf") if nofile.value is None else nofile.number,
        own=own + kept + more * taken,
        per_request=taken,
        per_idle=idle,
        scope=Scope.PROCESS,
        scopes=hop.processes,
        spread=spread,
        full=Full(Act.CLOSES, told="accepted, then closed (EMFILE)"),
        enforcer=NOFILE.enforced_by,
        inputs=tuple(v for v in (nofile, hop.get("own_descriptors")) if v is not None),
        formula=f"{taken:g} a request, "
        + (f"{kept:,.0f} idle ones of the edge" if kept else "1 an idle client")
        + (f", {more:g} requests above an even share" if more else "")
        + f", {own:g} of its own",
    )


def _event_loop(hop: Hop) -> Limit | None:
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


def _concurrency(hop: Hop, path: Path, demand: Demand, cap: Value) -> Limit:
    _, idle, spread = arriving(hop, path, demand)
    return counted(
        hop.name,
        "limit_concurrency",
        capacity=cap.number,
        own=1.0,
        per_request=1.0,
        per_idle=idle,
        scope=Scope.PROCESS,
        scopes=hop.processes,
        spread=spread,
        full=Full(Act.REFUSES, told="503"),
        enforcer=LIMIT_CONCURRENCY.enforced_by,
        inputs=(cap,),
        formula="one fewer than its number; idle clients count",
    )
