"""nginx as an edge: what one worker process holds, and what the next request meets. No I/O.

From `src/core/ngx_connection.c` and `src/event/ngx_event_accept.c`, checked by `tests/law3`.
"""

from __future__ import annotations

from holdfast.model.limit import Act, Full, Limit, Scope
from holdfast.model.path import Demand, Hop, Kind, Link, Path, Protocol, Spread
from holdfast.programs import nginx_rows as rows
from holdfast.programs.rows import Setting, counted, effective
from holdfast.programs.sockets import (
    SYN_DROPPED,
    SYN_RETRY_S,
    accept_queue,
    dialled,
    dialler,
    last_place,
    ports,
    queue_room,
    returns,
)

REUSE_SHARE = 15 / 16
"""Once 1/16 of its connections is free, nginx closes clients that have sent nothing yet."""
OWN = 6
"""Descriptors of a worker: the standard ones and the error log (4), epoll and an event."""


def limits(hop: Hop, path: Path, demand: Demand) -> tuple[Limit, ...]:
    """Connections, descriptors, `max_conns`, `limit_conn`, ports, queues and temporary files."""
    found = [
        _connections(hop, demand),
        _descriptors(hop, path, demand),
        *(_max_conns(hop, link, path, demand) for link in hop.links),
        _limit_conn(hop, path),
        *ports(hop, path, demand, Full(Act.REFUSES, told="502 (EADDRNOTAVAIL)")),
        _front_queue(hop, path, demand),
        *(_queue_behind(hop, link, path, demand) for link in hop.links),
        _disk(hop, path, demand),
    ]
    return tuple(limit for limit in found if limit is not None)


def buffered(hop: Hop, demand: Demand) -> tuple[float, float, float]:
    """What one request in flight buffers: bytes in memory, bytes on disk, files.

    At worst, where clients take their answers slowly: `client_body_buffer_size` and a file for
    what is larger; `proxy_buffer_size` and `proxy_buffers` and a file for the rest.
    """

    def size(row: Setting) -> float:
        return effective(hop, row).number

    keeps_body, keeps_answer = size(rows.REQUEST_BUFFERING), size(rows.BUFFERING)
    room = size(rows.BUFFER_SIZE) + (size(rows.BUFFERS) if keeps_answer else 0.0)
    to_file = size(rows.MAX_TEMP_FILE) if keeps_answer else 0.0

    def body_file(kind: Kind) -> float:
        return kind.body_bytes * (keeps_body and kind.body_bytes > size(rows.BODY_BUFFER))

    def answer_file(kind: Kind) -> float:
        return min(max(0.0, kind.answer_bytes - room), to_file)

    return (
        demand.mean_in_flight(
            lambda kind: min(kind.body_bytes, size(rows.BODY_BUFFER)) + min(kind.answer_bytes, room)
        ),
        demand.mean_in_flight(lambda kind: body_file(kind) + answer_file(kind)),
        demand.mean_in_flight(lambda kind: (body_file(kind) > 0) + (answer_file(kind) > 0)),
    )


def own_connections(hop: Hop) -> float:
    """Connections that a worker process spends on its listeners and on the master's channel."""
    return 1 + effective(hop, rows.LISTENERS).number


def own_descriptors(hop: Hop) -> float:
    """Descriptors of an idle worker process: as observed, or counted.

    Counted: `OWN`, its other logs, one channel for each worker process, listening sockets
    (with `reuseport` those of all), and the files that it keeps open.
    """
    seen = hop.get("own_descriptors")
    if seen is not None and seen.value is not None:
        return seen.number
    listening = effective(hop, rows.LISTENERS).number * _sockets(hop)
    files = effective(hop, rows.LOG_FILES).number + effective(hop, rows.OPEN_FILES).number
    return OWN + files + hop.processes + listening


def _sockets(hop: Hop) -> int:
    """Sockets of one listener: with `reuseport` each worker process has its own."""
    return hop.processes if effective(hop, rows.REUSEPORT).value else 1


def _clients(hop: Hop, demand: Demand) -> float:
    """Connections that nginx accepts for a request: its client's, and its own where it comes back.

    HTTP/2 clients keep to `http2_max_concurrent_streams`.
    """
    return 1 / min(demand.streams, effective(hop, rows.STREAMS).number) + returns(hop)


def _spread(hop: Hop) -> Spread:
    """Workers hash clients with `reuseport`; else they race for them, even one that is full."""
    if hop.processes == 1:
        return Spread.ONLY
    return Spread.HASH if effective(hop, rows.REUSEPORT).value else Spread.RACE


def _connections(hop: Hop, demand: Demand) -> Limit:
    most, own = effective(hop, rows.WORKER_CONNECTIONS), own_connections(hop)
    held = effective(hop, rows.KEEPALIVE_MIN_S).number > 0
    taken = _clients(hop, demand) + dialled(hop, demand)
    return counted(
        hop.name,
        "worker_connections",
        capacity=most.number,
        own=own,
        per_request=taken,
        per_idle=1.0,
        yields=not held,
        onset=REUSE_SHARE,
        scope=Scope.PROCESS,
        scopes=hop.processes,
        spread=_spread(hop),
        together=demand.streams,
        full=last_place(
            hop, demand, most.number - own, Full(Act.CLOSES, told="closed without an answer"), "500"
        ),
        enforcer=rows.WORKER_CONNECTIONS.enforced_by,
        inputs=(most,),
        formula=f"({most.number:,.0f} - {own:g} of its own) / {taken:g} a request, "
        f"in each of {hop.processes}; clients that sent nothing yet are closed from 15/16 on",
    )


def _descriptors(hop: Hop, path: Path, demand: Demand) -> Limit | None:
    nofile = hop.get(rows.WORKER_RLIMIT_NOFILE.name) or hop.get("nofile")
    if nofile is None or nofile.value is None:
        return None
    own = own_descriptors(hop)
    taken = _clients(hop, demand) + dialled(hop, demand) + buffered(hop, demand)[2]
    room = queue_room(path.host(hop.host), effective(hop, rows.BACKLOG)) * _sockets(hop)
    return counted(
        hop.name,
        "descriptors",
        capacity=nofile.number,
        own=own,
        per_request=taken,
        per_idle=1.0,
        scope=Scope.PROCESS,
        scopes=hop.processes,
        spread=_spread(hop),
        together=demand.streams,
        full=last_place(
            hop,
            demand,
            nofile.number - own - demand.idle / hop.processes,
            Full(Act.QUEUES, int(room), told="waits: accepting pauses for 0.5 s at a time"),
            "500",
        ),
        enforcer=rows.WORKER_RLIMIT_NOFILE.enforced_by,
        inputs=(nofile,),
        formula=f"({nofile.number:,.0f} - {own:g} of its own) / {taken:g} a request, "
        f"in each of {hop.processes}; idle clients keep theirs",
    )


def _max_conns(hop: Hop, link: Link, path: Path, demand: Demand) -> Limit | None:
    most, zone = effective(hop, rows.MAX_CONNS), effective(hop, rows.ZONE)
    if not most.number:
        return None
    servers = path.servers(link)
    counters = 1 if zone.value else hop.processes
    return counted(
        hop.name,
        "max_conns",
        capacity=most.number * servers,
        per_request=demand.uses(link.to)[0] or 1.0,
        scope=Scope.HOST if zone.value else Scope.PROCESS,
        scopes=counters,
        spread=Spread.ONLY if zone.value else _spread(hop),
        together=demand.streams,
        full=Full(Act.REFUSES, told="502 (no live upstreams)"),
        enforcer=rows.MAX_CONNS.enforced_by,
        inputs=(most, zone),
        formula=f"{most.number:,.0f} to each of {servers} servers, counted "
        + ("for all workers" if zone.value else f"by each of {hop.processes} for itself"),
    )


def seems_one(hop: Hop, path: Path) -> Hop | None:
    """The edge whose address all clients of a hop seem to have; None where they come by themselves.

    An edge that is believed (`set_real_ip_from`) says whose a request is. Of one that dials a unix
    socket only `unix:` is. An nginx that dials itself has its own address.
    """
    front = dialler(hop, path)
    believed = {value.value for value in hop.values if value.setting == rows.REAL_IP_FROM.name}
    if front is None:
        return hop if returns(hop) and not believed else None
    needed = {"unix:"} if front[1].protocol is Protocol.UNIX else believed
    return None if believed & needed else front[0]


def _limit_conn(hop: Hop, path: Path) -> Limit | None:
    """`limit_conn` of a key that all clients share: by its name, or because they seem one."""
    front = seems_one(hop, path)
    each = effective(hop, rows.LIMIT_CONN_PER_ADDRESS)
    known = [effective(hop, rows.LIMIT_CONN), *([each] if front is not None else [])]
    most = min((v for v in known if v.value is not None), key=lambda v: v.number, default=None)
    if most is None:
        return None
    key = "key" if front is None or most is not each else f"address, that of {front.name}"
    told = f"{effective(hop, rows.LIMIT_CONN_STATUS).number:.0f}"
    return counted(
        hop.name,
        "limit_conn",
        capacity=most.number,
        per_request=1.0,
        full=Full(Act.REFUSES, told=told),
        enforcer=rows.LIMIT_CONN.enforced_by,
        inputs=(most,),
        formula=f"{most.number:,.0f} requests of one {key}",
    )


def _front_queue(hop: Hop, path: Path, demand: Demand) -> Limit | None:
    backlog = effective(hop, rows.BACKLOG)
    return accept_queue(hop, path, demand, backlog, SYN_DROPPED, sockets=_sockets(hop))


def _queue_behind(hop: Hop, link: Link, path: Path, demand: Demand) -> Limit | None:
    """The accept queue of a server that nginx dials: full, a unix socket refuses at once."""
    target = path.hop(link.to)
    backlog = target.get("backlog")
    if backlog is None:
        return None
    patience = effective(hop, rows.CONNECT_TIMEOUT_S).number
    fails, out_s = effective(hop, rows.MAX_FAILS).number, effective(hop, rows.FAIL_TIMEOUT_S).number
    after = ""
    if fails and target.processes > 1:
        after = f"; after {fails:g} of them the server gets nothing for {out_s:g} s (`max_fails`)"
    if link.protocol is Protocol.UNIX:
        full = Full(Act.REFUSES, told=f"502 at once (EAGAIN){after}")
    elif patience <= SYN_RETRY_S:
        full = Full(Act.REFUSES, for_s=patience, told=f"504 after `proxy_connect_timeout`{after}")
    else:
        told = f"SYN sent again; 504 when patience ends{after}"
        full = Full(Act.RETRIES, for_s=patience, told=told)
    return accept_queue(target, path, demand, backlog, full)


def _disk(hop: Hop, path: Path, demand: Demand) -> Limit | None:
    free = path.host(hop.host).get("disk_available")
    _, disk, files = buffered(hop, demand)
    if free is None or free.value is None or not files:
        return None
    return counted(
        hop.name,
        "temporary files",
        capacity=free.number,
        per_request=disk,
        full=Full(Act.REFUSES, told="500 (no space left), or an answer cut short"),
        enforcer="kernel (the file system)",
        inputs=(free,),
        formula=f"{disk / 1024:,.0f} KiB a request in flight in {files:g} files",
    )
