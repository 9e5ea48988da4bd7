"""The kernel of one host: what its sysctls, memory and cores hold. No I/O.

Counts what every hop on the host takes: memory, sockets, processor time.
"""

from __future__ import annotations

import math
from typing import Final

import msgspec

from holdfast.model.limit import Act, Full, Limit, Scope
from holdfast.model.path import Demand, Hop, Host, Path, Protocol, Spread
from holdfast.model.units import format_bytes
from holdfast.model.values import Value
from holdfast.programs import haproxy, nginx, tls
from holdfast.programs.rows import Setting, counted, number
from holdfast.programs.sockets import (
    EDGES,
    SYN_DROPPED,
    accept_queue,
    arriving,
    dialled,
    dialler,
    returns,
)

KERNEL: Final = "kernel"
"""Name of the hop that stands for a host's kernel."""
PLACES: Final = {"nginx": "worker_connections", "haproxy": "ulimit_n"}
"""How many connections each process of an edge sets memory aside for when it starts."""
BUFFERED: Final = {"nginx": nginx.buffered, "haproxy": haproxy.buffered}
"""What an edge keeps of bodies and answers, at worst: memory, disk, files."""
PROCESSOR_SHARE = 0.7
"""The part of a host's cores that is planned for (design: rate x CPU seconds <= cores x 0.7)."""
SYN_BACKLOG_SHARE = 0.75
"""Without SYN cookies a new client is refused past so much of tcp_max_syn_backlog (Linux 6.18,
net/ipv4/tcp_input.c, tcp_conn_request)."""

SOMAXCONN = Setting(
    "somaxconn",
    "connections",
    4096,
    "5.4",
    "kernel",
    "Cuts the backlog of every listening socket.",
)
FILE_MAX = Setting(
    "file_max", "open files", None, "", "kernel", "Open files of the whole host; ENFILE past it."
)
NR_OPEN = Setting(
    "nr_open", "descriptors", 1_048_576, "2.6", "kernel", "The highest RLIMIT_NOFILE there can be."
)
PORT_RANGE = Setting(
    "ip_local_port_range",
    "ports",
    "32768 60999",
    "3.2",
    "kernel",
    "Ports for outgoing connections: so many at once to one (source, destination, port).",
)
SYN_BACKLOG = Setting(
    "tcp_max_syn_backlog",
    "connections",
    None,
    "",
    "kernel, without SYN cookies",
    "Half-open connections of a listening socket.",
)
CONNTRACK_MAX = Setting(
    "conntrack_max",
    "connections",
    None,
    "",
    "kernel, where a rule makes it track",
    "Connections that the firewall remembers; past it new ones are dropped.",
)
ROWS = (SOMAXCONN, FILE_MAX, NR_OPEN, PORT_RANGE, SYN_BACKLOG, CONNTRACK_MAX)


def limits(hop: Hop, path: Path, demand: Demand) -> tuple[Limit, ...]:
    """Accept queues, memory, processor, open files and connection tracking of the hop's host."""
    host = path.host(hop.host)
    on_host = tuple(h for h in path.hops if h.host == host.name and h.program != "kernel")
    found = [_memory(hop, path, on_host, demand), _processor(hop, host, on_host, demand)]
    found += [_accept_queue(h, path, demand) for h in on_host]
    found += [_half_open(h, path, demand) for h in on_host]
    found += [_open_files(hop, path, on_host, demand), _conntrack(hop, host, demand)]
    return tuple(limit for limit in found if limit is not None)


def units_at_once(hop: Hop, demand: Demand) -> float:
    """How many of the hop's units one request in flight holds; clients and workers hold one."""
    used = demand.uses(hop.name)[0]
    return used if hop.program == "service" else 1.0


def units_made(hop: Hop, demand: Demand) -> float:
    """How many of the hop's units one request takes in its whole time; clients and workers one."""
    if hop.program != "service":
        return 1.0
    return demand.uses(hop.name)[1] / _held_s(hop, demand)


class Ends(msgspec.Struct, frozen=True):
    """Ends of sockets that one request in flight (`tcp`, `unix`) and one idle client keep open."""

    tcp: float
    unix: float
    idle: float

    @property
    def request(self) -> float:
        """Those of one request in flight, of either kind: each is a descriptor."""
        return self.tcp + self.unix


def socket_ends(hop: Hop, path: Path, demand: Demand) -> Ends:
    """Ends of sockets that requests and idle clients keep open in the hop's processes."""
    if hop.program == "service":
        return Ends(units_at_once(hop, demand), 0.0, 0.0)
    arrived, idle, _ = arriving(hop, path, demand)
    front = dialler(hop, path)
    by_unix = arrived if front is not None and front[1].protocol is Protocol.UNIX else 0.0
    locally = tuple(link for link in hop.links if link.protocol is Protocol.UNIX)
    back = returns(hop)  # both ends of what it dials of its own are here
    to_unix = dialled(msgspec.structs.replace(hop, links=locally), demand) - back
    tcp = arrived + back - by_unix + dialled(hop, demand) - to_unix
    return Ends(tcp, by_unix + to_unix, idle)


def memory_parts(hop: Hop, path: Path, demand: Demand) -> tuple[float, float, float]:
    """Bytes of a hop: (what its processes take with nothing to do, per request, per idle client).

    Each with the kernel's share for the hop's ends of sockets, and for a thread where requests have
    one; what an edge sets aside for each connection that it is configured for is there from its
    start, and `shared_bytes` are for all of its processes together.
    """
    kernel, ends = path.hop(KERNEL), socket_ends(hop, path, demand)
    tcp, unix = (number(kernel, f"{kind}_end_bytes") for kind in ("socket", "unix"))
    shared = number(hop, "shared_descriptors") * tcp
    table = number(hop, "connection_bytes") * number(hop, PLACES.get(hop.program, ""))
    sessions, secure, silent = tls.memory(hop, path, demand)
    base = (number(hop, "base_bytes") + shared + table) * hop.processes + sessions
    base += number(hop, "shared_bytes")
    own = number(hop, "request_bytes") * units_at_once(hop, demand)
    kept = BUFFERED[hop.program](hop, demand)[0] if hop.program in BUFFERED else 0.0
    thread = number(kernel, "thread_bytes") if number(hop, "threads") > 1 else 0.0
    request = own + kept + secure + thread + ends.tcp * tcp + ends.unix * unix
    return base, request, (number(hop, "idle_bytes") + tcp) * ends.idle + silent


def _memory(kernel: Hop, path: Path, on_host: tuple[Hop, ...], demand: Demand) -> Limit | None:
    available = path.host(kernel.host).get("memory_available")
    if available is None or available.value is None:
        return None
    parts = [memory_parts(hop, path, demand) for hop in on_host]
    base, request, idle = (sum(column) for column in zip(*parts, strict=True))
    return counted(
        kernel.name,
        "memory",
        capacity=available.number,
        own=base,
        per_request=request,
        per_idle=idle,
        full=Full(Act.KILLED, told="out of memory: the kernel kills a process"),
        enforcer="kernel (OOM killer)",
        inputs=(available,),
        formula=f"{format_bytes(base)} base + {request / 1024:.1f} KiB a request "
        f"+ {idle / 1024:.1f} KiB an idle client",
    )


def _processor(kernel: Hop, host: Host, on_host: tuple[Hop, ...], demand: Demand) -> Limit:
    cpu_s = sum(number(hop, "request_cpu_s") * units_made(hop, demand) for hop in on_host)
    return Limit(
        hop=kernel.name,
        resource="processor",
        scope=Scope.HOST,
        scopes=1,
        bounds="rate",
        capacity=host.cores,
        own=0.0,
        per_request=cpu_s,
        per_idle=0.0,
        yields=False,
        onset=PROCESSOR_SHARE,
        spread=Spread.ONLY,
        full=Full(Act.SLOWS, told="answers take longer"),
        enforcer="kernel (scheduler)",
        inputs=tuple(v for hop in on_host if (v := hop.get("request_cpu_s")) is not None),
        formula=f"rate x {cpu_s * 1e6:.0f} us <= {host.cores:g} cores x {PROCESSOR_SHARE}",
    )


def _held_s(hop: Hop, demand: Demand) -> float:
    """Mean time that one unit of the hop is held: unit-seconds over units, by arrivals."""
    weighted = [(k.share * u.units, u.held_s) for k in demand.kinds for u in k.uses]
    named = [
        (k.share * u.units, u.held_s) for k in demand.kinds for u in k.uses if u.hop == hop.name
    ] or weighted
    units = sum(w for w, _ in named)
    return sum(w * t for w, t in named) / units if units else math.inf


def _accept_queue(hop: Hop, path: Path, demand: Demand) -> Limit | None:
    """The queue of clients that dial the hop themselves; an edge answers for its own and behind."""
    backlog = hop.get("backlog")
    if backlog is None or hop.program in EDGES or dialler(hop, path) is not None:
        return None
    return accept_queue(hop, path, demand, backlog, SYN_DROPPED)


def half_open_most(host: Host) -> Value | None:
    """What bounds the new clients that shake hands on a socket; None where SYN cookies are on."""
    most, cookies = host.get("tcp_max_syn_backlog"), host.get("syncookies")
    known = most is not None and most.value is not None
    off = cookies is not None and cookies.value is not None and not cookies.number
    return most if known and off else None


def _half_open(hop: Hop, path: Path, demand: Demand) -> Limit | None:
    most, front = half_open_most(path.host(hop.host)), dialler(hop, path)
    if most is None or hop.get("backlog") is None or not demand.burst:
        return None
    if front is not None and front[1].protocol is Protocol.UNIX:
        return None
    return counted(
        hop.name,
        "half-open queue",
        capacity=most.number,
        per_request=demand.burst / demand.in_flight / demand.streams,
        scope=Scope.PROCESS,
        scopes=hop.processes,
        onset=SYN_BACKLOG_SHARE,
        spread=Spread.HASH if hop.processes > 1 else Spread.ONLY,
        full=SYN_DROPPED,
        enforcer=SYN_BACKLOG.enforced_by,
        inputs=(most,),
        formula=f"{demand.burst:,} of {demand.in_flight:,} arrive at once on {hop.processes} "
        f"sockets; the last quarter is for clients known of old",
    )


def _open_files(kernel: Hop, path: Path, on_host: tuple[Hop, ...], demand: Demand) -> Limit | None:
    host = path.host(kernel.host)
    most, used = host.get("file_max"), host.get("file_used")
    if most is None or most.value is None:
        return None
    own = (used.number if used and used.value is not None else 0.0) + sum(
        number(hop, "own_descriptors") * hop.processes for hop in on_host
    )
    found = [socket_ends(hop, path, demand) for hop in on_host]
    ends = sum(each.request for each in found)
    files = sum(BUFFERED[h.program](h, demand)[2] for h in on_host if h.program in BUFFERED)
    return counted(
        kernel.name,
        "open files",
        capacity=most.number,
        own=own,
        per_request=ends + files,
        per_idle=sum(each.idle for each in found),
        full=Full(Act.REFUSES, told="ENFILE"),
        enforcer="kernel (fs.file-max)",
        inputs=tuple(v for v in (most, used) if v is not None),
        formula=f"{ends + files:g} a request over the whole host, {own:,.0f} in use",
    )


def _conntrack(kernel: Hop, host: Host, demand: Demand) -> Limit | None:
    tracks, most, used = (
        host.get(name) for name in ("conntrack_tracks", "conntrack_max", "conntrack_count")
    )
    if tracks is None or not tracks.value or most is None or most.value is None:
        return None
    own = used.number if used is not None and used.value is not None else 0.0
    return counted(
        kernel.name,
        "conntrack",
        capacity=most.number,
        own=own,
        per_request=1 / demand.streams + sum(u.units for k in demand.kinds for u in k.uses),
        per_idle=1.0,
        full=Full(Act.RETRIES, told="packet dropped: nf_conntrack: table full"),
        enforcer="kernel (nf_conntrack_max)",
        inputs=(most,),
        formula="one entry a connection",
    )
