"""Sizes the direct path: workers, descriptors, backlog, addresses, memory. No I/O.

Law 1: what is sized holds N; one process fewer, or 5 % less of the narrowest, does not.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import msgspec

from holdfast.model.chance import fullest
from holdfast.model.errors import Impossible
from holdfast.model.limit import Act, Full, Limit
from holdfast.model.path import Demand, Hop, Host, Link, Path, Protocol, Spread
from holdfast.model.profile import Profile
from holdfast.model.units import format_bytes
from holdfast.model.values import Value, assumed, derived, observed
from holdfast.programs import kernel, service, uvicorn
from holdfast.programs.catalog import path_limits
from holdfast.programs.generator import MOST_CLIENTS
from holdfast.programs.ports import outgoing_ports
from holdfast.programs.rows import counted
from holdfast.sizing.layout import Layout, Service

MOST_PROCESSES = 4096
"""No plan of one host goes past so many workers, whatever its pids limit says."""
USUAL_PORTS = 60_999 - 32_768 + 1
"""Outgoing ports where the host does not say: the kernel's default range."""
SPARE_PIDS = 8
"""Processes besides the workers: supervisor, warden, commands of the operator."""


def size(demand: Demand, host: Host, layout: Layout) -> Path:
    """The smallest direct path that holds `demand` on `host`.

    Raises Impossible with the resource that is short, how much is missing, and what fits.
    """
    path, short = attempt(demand, host, layout)
    if short is None:
        return path
    fits = _largest(lambda n: attempt(scaled(demand, n), host, layout)[1] is None, demand.in_flight)
    raise _impossible(short, demand, fits)


def scaled(demand: Demand, in_flight: int) -> Demand:
    """The same mix at another number: the burst grows with it."""
    burst = math.ceil(demand.burst * in_flight / demand.in_flight)
    return msgspec.structs.replace(demand, in_flight=in_flight, burst=burst)


def attempt(demand: Demand, host: Host, layout: Layout) -> tuple[Path, Limit | None]:
    """The path as sized, and the limit that is too narrow for the demand, if one is."""
    workers = _workers(demand, host, layout)
    hops = [_kernel(host, layout)]
    if layout.generator is not None:
        hops.append(_generator(layout.generator, demand, host))
    services = [_service(told, demand, host, workers) for told in layout.services]
    path = Path((host,), (*hops, workers, *services))
    for limit in all_limits(path, demand):
        if needed(limit, demand) > limit.capacity:
            return path, limit
    return path, None


def all_limits(path: Path, demand: Demand) -> tuple[Limit, ...]:
    """Every limit that a sized path is held to: those that requests take of, and processes."""
    return (*path_limits(path, demand), *_pids(path, path.hosts[0]))


def needed(limit: Limit, demand: Demand) -> float:
    """The capacity of one scope that makes the demand sure: the inverse of `holds`."""
    if limit.bounds == "rate":
        return limit.per_request * demand.rate / limit.scopes / limit.onset
    requests = on_one(demand.in_flight, limit.scopes, limit.spread, demand.miss)
    idle = on_one(demand.idle, limit.scopes, limit.spread, demand.miss, spare=False)
    free = (requests * limit.per_request - 1e-6) / limit.onset + idle * limit.per_idle
    return limit.own + math.ceil(free - 1e-6)


def on_one(count: int, scopes: int, spread: Spread, miss: float, *, spare: bool = True) -> int:
    """How many of `count` one scope must hold so that all of them are sure."""
    if spread is Spread.HASH and scopes > 1:
        return fullest(count, scopes, miss)
    return math.ceil((count + (scopes if spare else 0)) / scopes)


def _kernel(host: Host, layout: Layout) -> Hop:
    release = host.get("kernel_release")
    version = str(release.value) if release is not None else ""
    return Hop("kernel", "kernel", version, host.name, 1, (layout.socket_end_bytes,))


def _generator(profile: Profile, demand: Demand, host: Host) -> Hop:
    """Processes of the load generator, each with a source address of its own."""
    ports = _ports(host, USUAL_PORTS)
    files = _number(host, "nofile_hard", math.inf) - profile.own_descriptors.number
    room = max(1, int(min(MOST_CLIENTS, ports * service.SLOW_PORTS, files)))
    clients = math.ceil(demand.in_flight / demand.streams) + demand.idle + 1
    count = math.ceil(clients / room)
    values = (
        derived("processes", count, f"{clients:,} clients, {room:,} sockets a process"),
        derived("clients_per_process", room, "least of 18,000, half the ports, descriptors"),
        *profile.values(),
    )
    return Hop("clients", "holdfast-load", profile.version, host.name, count, values)


def _workers(demand: Demand, host: Host, layout: Layout) -> Hop:
    """The worker hop with the fewest processes that hold the demand, its values derived."""
    files = _number(host, "nofile_hard", math.inf)
    queue = _queue_room(host)
    cores = layout.worker.request_cpu_s.number * demand.rate

    def holds(count: int) -> bool:
        nofile, backlog = _worker_values(count, demand, host, layout)[:2]
        busy = cores / count <= uvicorn.EVENT_LOOP_SHARE
        return busy and nofile.number <= files and backlog.number <= queue

    count = _smallest(holds, MOST_PROCESSES)
    values = list(_worker_values(count, demand, host, layout))
    if values[0].number > files:
        values[0] = observed("nofile", int(files), f"hard limit; {values[0].number:,.0f} needed")
    why = (
        f"fewest whose {values[0].number:,.0f} descriptors each are allowed, and whose event "
        f"loops carry {cores:.2f} cores of work at {uvicorn.EVENT_LOOP_SHARE} each"
    )
    workers = derived("workers", count, why)
    return _bare_workers(count, host, layout, (*values, workers, *layout.worker.values()))


def _bare_workers(count: int, host: Host, layout: Layout, values: tuple[Value, ...]) -> Hop:
    links = tuple(
        Link(
            told.name,
            Protocol.HTTP_1,
            1.0,
            Spread.HASH,
            assumed("dialler_idle_s", 15, "the app's own client decides"),
            assumed("listener_idle_s", 75, "the service decides"),
        )
        for told in layout.services
    )
    return Hop("workers", "uvicorn", layout.worker.version, host.name, count, values, links)


def _worker_values(
    count: int, demand: Demand, host: Host, layout: Layout
) -> tuple[Value, Value, Value, Value]:
    """nofile, backlog, keep_alive_s and grace_s of `count` workers."""
    spread = Spread.HASH if count > 1 else Spread.ONLY
    each = on_one(demand.in_flight, count, spread, demand.miss)
    idle = on_one(demand.idle, count, spread, demand.miss, spare=False)
    taken = kernel.socket_ends(_bare_workers(count, host, layout, ()), demand)
    own = layout.worker.own_descriptors.number
    nofile = math.ceil(each * taken - 1e-6) + idle + math.ceil(own)
    return (
        derived(
            "nofile",
            nofile,
            f"{each:,} requests on the fullest of {count} x {taken:g} "
            f"+ {idle:,} idle clients + {own:g} of its own",
        ),
        _backlog(each, count, demand, host, layout),
        derived("keep_alive_s", layout.keep_alive_s, "longer than the clients stay idle"),
        derived("grace_s", layout.grace_s, "what requests in flight are given to finish"),
    )


def _backlog(each: int, count: int, demand: Demand, host: Host, layout: Layout) -> Value:
    """Room in a worker's accept queue: for the burst, or for a trial's opening as far as it may.

    The opening needs less, since it waits for the queue; but a worker that finds many connections
    in it accepts them in one go, which is what opens a million.
    """
    share = each / demand.in_flight / demand.streams
    burst = max(1, math.ceil(share * demand.burst - 1e-6))
    opened = min(layout.opening_rate * demand.burst_s, demand.in_flight)
    opening = min(math.ceil(share * opened), _queue_room(host))
    arrive = f"arrive within {demand.burst_s:g} s; on the fullest of {count}"
    if opening > burst:
        return derived("backlog", int(opening), f"a trial's {opened:,.0f} clients {arrive}")
    return derived("backlog", burst, f"{demand.burst:,} {arrive}")


def _queue_room(host: Host) -> float:
    """New connections that the host lets wait on one socket, to shake hands and to be accepted."""
    room, half_open = _number(host, "somaxconn", math.inf), kernel.half_open_most(host)
    if half_open is None:
        return room
    return min(room, half_open.number * kernel.SYN_BACKLOG_SHARE)


def _service(told: Service, demand: Demand, host: Host, workers: Hop) -> Hop:
    """A service's hop: its addresses as told, or the fewest whose ports and descriptors do."""
    ports = _ports(host, math.inf)
    here = told.profile
    files = math.inf if here is None else _number(host, "nofile_hard", math.inf)
    own = 0.0 if here is None else here.own_descriptors.number

    def hop(count: int) -> Hop:
        addresses = derived("addresses", count, "fewest whose ports and descriptors do")
        values: tuple[Value, ...] = (told.addresses or addresses,)
        if here is not None:
            values += (*here.values(), derived("nofile", files, "hard limit of the host"))
        where = "elsewhere" if here is None else host.name
        version = "" if here is None else here.version
        processes = int(values[0].number)
        return Hop(told.name, "service", version, where, processes, values)

    def holds(count: int) -> bool:
        shared = service.shared(workers, count)
        spread = Spread.HASH if count > 1 else Spread.ONLY
        units = on_one(demand.in_flight, count, spread, demand.miss)
        taken = units * demand.uses(told.name)[0]
        return taken <= (ports - shared) * service.SLOW_PORTS and taken <= files - own - shared

    return hop(_smallest(holds, MOST_PROCESSES))


PID_LIMITS = (
    ("processes", "pids_max", "pids_used", "cgroup pids.max"),
    ("process numbers", "pid_max", "threads_used", "kernel.pid_max"),
    ("threads", "threads_max", "threads_used", "kernel.threads-max"),
)
"""What counts processes: the resource, the host's values of the most and of those there, whose."""


def _pids(path: Path, host: Host) -> tuple[Limit, ...]:
    """Processes against the control group's limit and the kernel's: no request takes any."""
    planned = sum(h.processes for h in path.hops if h.host == host.name and h.program != "kernel")
    found = []
    for resource, setting, there, enforcer in PID_LIMITS:
        most, used = host.get(setting), _number(host, there, 0)
        if most is None or most.value is None:
            continue
        found.append(
            counted(
                "kernel",
                resource,
                capacity=most.number,
                own=used + planned + SPARE_PIDS,
                per_request=0.0,
                full=Full(Act.REFUSES, told="EAGAIN at fork"),
                enforcer=f"kernel ({enforcer})",
                inputs=(most,),
                formula=f"{planned} planned, {used:,.0f} there, {SPARE_PIDS} to spare",
            )
        )
    return tuple(found)


def _ports(host: Host, otherwise: float) -> float:
    found = outgoing_ports(host)
    return otherwise if found is None else found


def _number(host: Host, setting: str, otherwise: float) -> float:
    found = host.get(setting)
    return otherwise if found is None or found.value is None else found.number


def _impossible(short: Limit, demand: Demand, fits: int) -> Impossible:
    need = needed(short, demand)
    say = format_bytes if short.resource == "memory" else _plain
    each = "" if short.scopes == 1 else f" in each of {short.scopes}"
    return Impossible(
        f"{demand.in_flight:,} in flight need {say(need)} of {short.resource}{each}, "
        f"and there is {say(short.capacity)}: {short.formula}",
        resource=short.resource,
        missing=need - short.capacity,
        fits=fits,
        hint=f"{fits:,} in flight fit here; {_way_out(short)}",
    )


def _plain(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.2f}"


def _way_out(short: Limit) -> str:
    """What would make more fit, by resource."""
    ways = {
        "memory": "or use a host with more memory",
        "processor": "or give a longer mean time (a lower rate), or more cores",
        "descriptors": "or raise the hard limit (`LimitNOFILE`, `ulimit -Hn`)",
        "ports": "or widen net.ipv4.ip_local_port_range, or give the service more addresses",
        "processes": "or raise pids.max of the control group",
        "process numbers": "or raise kernel.pid_max",
        "threads": "or raise kernel.threads-max",
        "open files": "or raise fs.file-max",
    }
    return ways.get(short.resource, "or raise that limit")


def _smallest(holds: Callable[[int], bool], ceiling: int) -> int:
    """The smallest n in [1, ceiling] that holds, where everything above one that holds holds."""
    low, high = 1, 1
    while high < ceiling and not holds(high):
        low, high = high + 1, min(ceiling, high * 2)
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle + 1, high)
    return low


def _largest(fits: Callable[[int], bool], ceiling: int) -> int:
    """The largest n in [0, ceiling) that fits, where everything below one that fits fits."""
    low, high = 0, ceiling - 1
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(middle) else (low, middle - 1)
    return low
