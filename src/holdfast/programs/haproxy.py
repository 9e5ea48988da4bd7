"""HAProxy as an edge: what one process holds, and what the next request meets. No I/O.

Several processes on one port count everything each for itself. From `src/haproxy.c`
(`compute_ideal_maxsock`), `src/limits.c` and `src/backend.c`, checked by `tests/law3`.
"""

from __future__ import annotations

import math

from holdfast.model.limit import Act, Full, Limit, Scope
from holdfast.model.path import Demand, Hop, Host, Link, Path, Protocol, Spread
from holdfast.model.values import Value, derived
from holdfast.programs import haproxy_rows as rows
from holdfast.programs.admission import waits
from holdfast.programs.rows import counted, effective, number
from holdfast.programs.sockets import (
    SYN_DROPPED,
    SYN_RETRY_S,
    accept_queue,
    dialled,
    last_place,
    ports,
    queue_room,
    returns,
)

RESERVED = 10
"""Descriptors that HAProxy counts for itself, whatever is configured (`global.maxsock = 10`)."""
A_THREAD = 3
"""Descriptors of a thread: its poller and the two ends of its wake-up pipe."""
STATS_CLIENTS = 10
"""Clients that a command-line socket is counted with."""
WAITS = "waits in the accept queue; idle clients keep their places"
COMES_BACK = "waits, and takes the place that another one needs to come back: 504 for both"
STANDARD = 3
"""Descriptors 0, 1 and 2."""


def limits(hop: Hop, path: Path, demand: Demand) -> tuple[Limit, ...]:
    """`maxconn` at its three levels, descriptors, ports, and the queues before and behind."""
    most = maxconn(hop, path.host(hop.host))
    found = [
        _clients(hop, path, demand, "maxconn", most),
        _clients(hop, path, demand, "frontend_maxconn", effective(hop, rows.FRONTEND_MAXCONN)),
        *(_server_maxconn(hop, link, path, demand) for link in hop.links),
        _descriptors(hop, path.host(hop.host), demand, most),
        *ports(hop, path, demand, Full(Act.REFUSES, told="503 (no free ports)")),
        _front_queue(hop, path, demand),
        *(_queue_behind(hop, link, path, demand) for link in hop.links),
    ]
    return tuple(limit for limit in found if limit is not None)


def buffered(hop: Hop, demand: Demand) -> tuple[float, float, float]:
    """What one request in flight buffers: bytes in memory, and nothing on disk.

    A buffer of `tune.bufsize` each way while something is in it: at worst, where clients are slow.
    """
    size = effective(hop, rows.BUFSIZE).number
    each = demand.mean_in_flight(
        lambda kind: size * ((kind.body_bytes > 0) + (kind.answer_bytes > 0))
    )
    return each, 0.0, 0.0


def counted_for_itself(hop: Hop, host: Host) -> float:
    """Descriptors that HAProxy adds to 2 x `maxconn` to make `maxsock`."""
    stats = effective(hop, rows.STATS_SOCKETS).number
    listening = effective(hop, rows.LISTENERS).number + effective(hop, rows.CHECKS).number
    commands = stats + (STATS_CLIENTS if stats else 0)
    return RESERVED + listening + commands + A_THREAD * _threads(hop, host)


def own_descriptors(hop: Hop, host: Host) -> float:
    """Descriptors of an idle process: as observed, or standard ones, listeners and threads'."""
    seen = hop.get("own_descriptors")
    if seen is not None and seen.value is not None:
        return seen.number
    listening = effective(hop, rows.LISTENERS).number + effective(hop, rows.STATS_SOCKETS).number
    return STANDARD + listening + A_THREAD * _threads(hop, host)


def maxconn(hop: Hop, host: Host) -> Value:
    """The process's `maxconn`: as configured, or half of what its descriptors leave."""
    told = effective(hop, rows.MAXCONN)
    allowed = hop.get("nofile") or host.get("nofile_hard")
    if told.value is not None or allowed is None or allowed.value is None:
        return told
    cap = effective(hop, rows.FD_HARD_LIMIT)
    files = min(allowed.number, math.inf if cap.value is None else cap.number)
    own = counted_for_itself(hop, host)
    return derived("maxconn", math.floor((files - own) / 2), f"({files:,.0f} - {own:g}) / 2")


def _threads(hop: Hop, host: Host) -> float:
    return number(hop, rows.NBTHREAD.name, math.ceil(host.cores))


def _client_share(hop: Hop, demand: Demand) -> float:
    """Client connections a request: HTTP/2 clients keep to the streams that they are allowed."""
    allowed = effective(hop, rows.FRONT_STREAMS)
    if allowed.value is None:
        allowed = effective(hop, rows.STREAMS)
    return 1 / min(demand.streams, allowed.number)


def _spread(hop: Hop) -> Spread:
    return Spread.HASH if hop.processes > 1 else Spread.ONLY


def _clients(hop: Hop, path: Path, demand: Demand, resource: str, most: Value) -> Limit | None:
    if most.value is None:
        return None
    back = returns(hop) if most.setting == rows.MAXCONN.name else 0.0
    sockets = hop.processes * effective(hop, rows.LISTENERS).number
    host = path.host(hop.host)
    room = int(queue_room(host, _backlog(hop, host)) * sockets)
    return counted(
        hop.name,
        resource,
        capacity=most.number,
        per_request=_client_share(hop, demand) + back,
        per_idle=1.0,
        scope=Scope.PROCESS,
        scopes=hop.processes,
        spread=_spread(hop),
        together=demand.streams,
        full=Full(Act.QUEUES, room, told=COMES_BACK if back else WAITS),
        enforcer=rows.MAXCONN.enforced_by,
        inputs=(most,),
        formula=f"{most.number:,.0f} client connections in each of {hop.processes}, idle or not",
    )


def _server_maxconn(hop: Hop, link: Link, path: Path, demand: Demand) -> Limit | None:
    most = effective(hop, rows.SERVER_MAXCONN)
    if most.value is None:
        return None
    servers = path.servers(link)
    let_in = (maxconn(hop, path.host(hop.host)), effective(hop, rows.FRONTEND_MAXCONN))
    clients = min((told.number for told in let_in if told.value is not None), default=0.0)
    left = clients - most.number * servers
    return counted(
        hop.name,
        "server_maxconn",
        capacity=most.number * servers,
        per_request=demand.uses(link.to)[0] or 1.0,
        scope=Scope.PROCESS,
        scopes=hop.processes,
        spread=_spread(hop),
        together=demand.streams,
        full=_waiting_for_a_server(hop, demand, max(0, int(left)) * hop.processes),
        enforcer=rows.SERVER_MAXCONN.enforced_by,
        inputs=(most,),
        formula=f"{most.number:,.0f} to each of {servers} servers, in each of {hop.processes}",
    )


def _waiting_for_a_server(hop: Hop, demand: Demand, room: int) -> Full:
    """A request waits for `timeout queue`; one as long as requests last gets it a turn.

    As a client of HAProxy it holds a place of `maxconn` meanwhile, so `room` is what that leaves,
    or what a rule lets wait.
    """
    patience = effective(hop, rows.TIMEOUT_QUEUE_S)
    if patience.value is None:
        patience = effective(hop, rows.TIMEOUT_CONNECT_S)
    for_s = math.inf if patience.value is None else patience.number
    bounded = effective(hop, rows.QUEUE_ROOM)
    if bounded.value is not None:
        room = min(room, int(bounded.number) * hop.processes)
        return waits("HAProxy's queue", room, for_s, demand)
    if for_s < demand.mean_time_s:
        return Full(Act.REFUSES, room, for_s, told="503 after `timeout queue`")
    return Full(Act.QUEUES, room, for_s, told="waits in the backend's queue")


def _descriptors(hop: Hop, host: Host, demand: Demand, most: Value) -> Limit | None:
    """`maxsock`, made from `maxconn`, so HTTP/2 clients find it; or the hard limit if that is less.

    With less than `maxsock` HAProxy starts only under `no strict-limits`.
    """
    if most.value is None:
        return None
    reserved, own = counted_for_itself(hop, host), own_descriptors(hop, host)
    told = hop.get("nofile")
    hard = math.inf if told is None or told.value is None else told.number
    maxsock = 2 * most.number + reserved
    taken = _client_share(hop, demand) + returns(hop) + dialled(hop, demand)
    room = queue_room(host, _backlog(hop, host)) * hop.processes
    queues = Full(Act.QUEUES, int(room), told="waits: accepting pauses for 0.1 s at a time")
    made = f"maxsock, 2 x {most.number:g} + {reserved:g}," if maxsock <= hard else f"{hard:,.0f}"
    return counted(
        hop.name,
        "descriptors",
        capacity=min(hard, maxsock),
        own=own,
        per_request=taken,
        per_idle=1.0,
        scope=Scope.PROCESS,
        scopes=hop.processes,
        spread=_spread(hop),
        together=demand.streams,
        full=last_place(
            hop, demand, min(hard, maxsock) - own - demand.idle / hop.processes, queues, "503"
        ),
        enforcer="kernel (RLIMIT_NOFILE, which HAProxy sets)",
        inputs=(most,) if told is None or maxsock <= hard else (told,),
        formula=f"{made} less {own:g} of its own, {taken:g} a request, in each of {hop.processes}",
    )


def _backlog(hop: Hop, host: Host) -> Value:
    """What a listener asks of the kernel: its own, the frontend's `maxconn`, or the process's."""
    told = [effective(hop, row) for row in (rows.BACKLOG, rows.FRONTEND_MAXCONN)]
    return next((value for value in told if value.value is not None), maxconn(hop, host))


def _front_queue(hop: Hop, path: Path, demand: Demand) -> Limit | None:
    return accept_queue(hop, path, demand, _backlog(hop, path.host(hop.host)), SYN_DROPPED)


def _queue_behind(hop: Hop, link: Link, path: Path, demand: Demand) -> Limit | None:
    """The accept queue of a server that HAProxy dials: full, a unix socket refuses at once.

    Each of its tries is a new connection, so none outlives the kernel's first retry unless the
    patience for one does.
    """
    target = path.hop(link.to)
    backlog = target.get("backlog")
    if backlog is None:
        return None
    one = effective(hop, rows.TIMEOUT_CONNECT_S)
    tries = effective(hop, rows.RETRIES).number + 1
    for_s = math.inf if one.value is None else one.number * tries
    if link.protocol is Protocol.UNIX:
        full = Full(Act.REFUSES, told="503 at once (EAGAIN)")
    elif one.value is not None and one.number <= SYN_RETRY_S:
        full = Full(Act.REFUSES, for_s=for_s, told="503 after `retries` times `timeout connect`")
    else:
        full = Full(Act.RETRIES, for_s=for_s, told="SYN sent again; 503 when all tries have failed")
    return accept_queue(target, path, demand, backlog, full)
