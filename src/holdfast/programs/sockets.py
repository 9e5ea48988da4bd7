"""What sockets cost whichever program opens them: accept queues, ports, who dials whom. No I/O.

An edge is a proxy: it dials once for each request that it passes on.
"""

from __future__ import annotations

import math

import msgspec

from holdfast.model.limit import Act, Full, Limit, Scope
from holdfast.model.path import Demand, Hop, Host, Link, Path, Protocol, Spread
from holdfast.model.values import Source, Value
from holdfast.programs.rows import counted, number

EDGES = frozenset({"nginx", "haproxy"})
RETURNS = "returns"
"""A hop's value: how often a request comes back to it."""
SYN_RETRY_S = 1.0
"""The kernel sends a SYN that found a full queue again after a second (TCP_TIMEOUT_INIT)."""
SYN_DROPPED = Full(Act.RETRIES, told="SYN dropped: the client tries again after 1 s, 3 s, 7 s")
"""What a TCP client meets whose listening socket has no room for it."""
FORKING = {
    "gunicorn": ("", ""),
    "hypercorn": ("", ""),
    "uvicorn": ("workers", "workers"),
    "granian": ("", "uds"),
}
"""Servers that start processes of their own: which setting, if any, has them share one address,
and which one a socket. Under Holdfast each process of uvicorn has an address for itself."""


def dialled(hop: Hop, demand: Demand) -> float:
    """Connections that a hop dials for one request in flight.

    A service is dialled as often as the kinds of request say; behind an edge every request is,
    and one that no kind names is dialled once; and once more each time that it comes back.
    """
    passed_on = 1.0 if hop.program in EDGES else 0.0
    out = sum((demand.uses(link.to)[0] or passed_on) / link.streams for link in hop.links)
    return out + returns(hop)


def returns(hop: Hop) -> float:
    """How often a request comes back to a hop, which dials a socket of its own."""
    return number(hop, RETURNS)


def dialler(hop: Hop, path: Path) -> tuple[Hop, Link] | None:
    """The edge in front of a hop and its link, or None where clients reach the hop themselves."""
    edges = (other for other in path.hops if other.program in EDGES)
    return next(
        ((edge, link) for edge in edges for link in edge.links if link.to == hop.name), None
    )


def arriving(hop: Hop, path: Path, demand: Demand) -> tuple[float, float, Spread]:
    """What reaches a hop: connections a request, connections an idle client, and their spread.

    Idle clients stay with the edge. Clients themselves are hashed over the hop's sockets.
    """
    front = dialler(hop, path)
    if front is not None:
        return 1 / front[1].streams, 0.0, front[1].spread
    return 1 / demand.streams, 1.0, Spread.HASH if hop.processes > 1 else Spread.ONLY


def queue_room(host: Host, backlog: Value) -> float:
    """Connections that wait in the accept queue of one socket; no limit where nothing is known.

    Linux cuts the backlog to somaxconn, and calls a queue full when its length is above that, so it
    takes one more.
    """
    cut = host.get("somaxconn")
    known = [value.number for value in (backlog, cut) if value and value.value is not None]
    return min(known, default=math.inf) + 1


def one_socket(hop: Hop, path: Path) -> bool:
    """Whether the hop's processes accept from one socket, not from one each at one address."""
    apart = hop.get("reuse_port")
    return _forks(hop, path, 1) and not (apart is not None and apart.value)


def forks(hop: Hop, path: Path) -> bool:
    """Whether the hop's processes are dialled at one address, being a server's own."""
    return _forks(hop, path, 0)


def _forks(hop: Hop, path: Path, which: int) -> bool:
    """A number of workers that was derived is of ours, who have a socket each.

    So have several servers of one process each, whose dialler has an address for each.
    """
    workers, front = hop.get("workers"), dialler(hop, path)
    ours = workers is not None and workers.source is Source.DERIVED
    apart = front is not None and front[1].servers is None
    if ours or apart or hop.program not in FORKING:
        return False
    named = hop.get(FORKING[hop.program][which])
    told = named is not None and named.source is not Source.DERIVED
    return told or not FORKING[hop.program][which]


def addresses(hop: Hop, path: Path) -> int:
    """The addresses at which a server that forks is dialled: an edge may name several of them."""
    front = dialler(hop, path)
    return 1 if front is None else min(path.servers(front[1]), hop.processes)


def accept_queue(
    hop: Hop, path: Path, demand: Demand, backlog: Value, full: Full, *, sockets: int | None = None
) -> Limit | None:
    """The accept queue of each of the hop's listening sockets; takes a burst.

    None where nothing is said of a backlog or of a burst.
    """
    if backlog.value is None or not demand.burst:
        return None
    cut = path.host(hop.host).get("somaxconn")
    room = queue_room(path.host(hop.host), backlog)
    taken, _, spread = arriving(hop, path, demand)
    shared = sockets is None and one_socket(hop, path)
    count = sockets or (addresses(hop, path) if shared else hop.processes)
    front = dialler(hop, path)
    if shared and front is not None and front[1].among is not None:
        spread = front[1].among
    return counted(
        hop.name,
        "accept queue",
        capacity=room,
        per_request=demand.burst / demand.in_flight * taken,
        scope=Scope.PROCESS,
        scopes=count,
        spread=spread if count > 1 else Spread.ONLY,
        full=full,
        enforcer="kernel (min of backlog and somaxconn)",
        inputs=tuple(v for v in (backlog, cut) if v is not None),
        formula=f"{demand.burst:,} of {demand.in_flight:,} arrive at once, "
        f"{room:,.0f} wait on each of {count} sockets",
    )


def ports(hop: Hop, path: Path, demand: Demand, full: Full) -> tuple[Limit, ...]:
    """Ephemeral ports towards each server that an edge dials over TCP.

    Connections that were closed keep theirs in TIME_WAIT; what that takes of a rate is not here.
    """
    host = path.host(hop.host)
    low, high = host.get("port_low"), host.get("port_high")
    if low is None or high is None or low.value is None or high.value is None:
        return ()
    count = high.number - low.number + 1
    return tuple(
        counted(
            hop.name,
            f"ports to {link.to}",
            capacity=count,
            per_request=(demand.uses(link.to)[0] or 1.0) / link.streams,
            scopes=path.servers(link),
            spread=(link.among or link.spread) if path.servers(link) > 1 else Spread.ONLY,
            full=full,
            enforcer="kernel (ip_local_port_range)",
            inputs=(high, low),
            formula=f"{count:,.0f} ports to each of {path.servers(link)} servers",
        )
        for link in hop.links
        if link.protocol is not Protocol.UNIX
    )


def last_place(hop: Hop, demand: Demand, free: float, accepting: Full, refused: str) -> Full:
    """What the next request meets where clients and upstreams take places from one stock.

    `free` places of a process are left for requests, `accepting` is what a client without a place
    meets, and `refused` what one is told whose upstream has none. That one gets the last place of
    an odd number; and HTTP/2 clients have theirs already. So has one that comes back to the hop, as
    long as any place is left. Which of the two a request of a burst meets is a matter of the order
    in which the process sees them, so each may be met beside the other.
    """
    back = returns(hop)
    over = free % (2 + 2 * back)
    odd = over >= 1 and dialled(hop, demand) == 1 + back
    if over and over % 2 == 0:  # it has dialled the hop, which has no place to accept it
        refused = "502"
    if demand.streams > 1 or odd:
        return Full(Act.REFUSES, told=refused, also=(accepting.act,))
    told = f"{accepting.told}; {refused} where only its upstream has no place"
    return msgspec.structs.replace(accepting, told=told, also=(Act.REFUSES,))


def kept_idle(hop: Hop, path: Path) -> float:
    """Idle connections that the edge before a hop may keep to one of its processes, at most.

    nginx bounds them by `keepalive`, over all servers in each of its processes; HAProxy by
    `pool-max-conn`, for each server in each process. An edge that bounds nothing keeps no more
    than were in flight.
    """
    front = dialler(hop, path)
    if front is None:
        return 0.0
    edge = front[0]
    setting = "keepalive" if edge.program == "nginx" else "server_pool_max_conn"
    most = edge.get(setting)
    return 0.0 if most is None or most.value is None else max(0.0, most.number) * edge.processes


def grouped(limit: Limit, hop: Hop, path: Path) -> Limit:
    """The limit of each process of a hop, where several share each of several addresses.

    Each process of an edge without shared state chooses for itself, one more at most to an address.
    """
    front = dialler(hop, path)
    if front is None or front[1].among is None or limit.bounds != "in_flight":
        return limit
    count = addresses(hop, path)
    if limit.scopes != hop.processes or not 1 < count < hop.processes:
        return limit
    edge, link = front
    shared = edge.get("zone")
    apart = 1 if shared is not None and shared.value else edge.processes
    return msgspec.structs.replace(limit, groups=count, among=link.among, apart=apart)


def uneven(hop: Hop, path: Path) -> int:
    """Requests that the fullest process of a hop may hold above an even share of one count.

    Each HAProxy process counts least connections for itself, and gives the odd one to whichever
    server it likes: one more for each other process. nginx's have one count, where it has a zone.
    """
    front = dialler(hop, path)
    if front is None or front[1].spread is not Spread.LEAST:
        return 0
    edge = front[0]
    shared = edge.get("zone")
    return 0 if shared is not None and shared.value else edge.processes - 1
