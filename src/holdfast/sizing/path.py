"""Sizes a whole path: edge, workers, services, generator, and what is short. No I/O.

Law 1: what is sized holds N; one process fewer, or 5 % less of the narrowest, does not.
"""

from __future__ import annotations

import math

import msgspec

from holdfast.model.errors import Impossible
from holdfast.model.limit import Act, Full, Limit
from holdfast.model.path import Demand, Hop, Host, Path, Spread
from holdfast.model.profile import Profile
from holdfast.model.units import format_bytes
from holdfast.model.values import Value, derived
from holdfast.programs import service
from holdfast.programs.catalog import path_limits
from holdfast.programs.generator import MOST_CLIENTS
from holdfast.programs.ports import outgoing_ports
from holdfast.programs.rows import counted
from holdfast.sizing.admission import admitted, held_to, with_room
from holdfast.sizing.counting import MOST_PROCESSES, largest, number, on_one, smallest
from holdfast.sizing.layout import Layout, Service
from holdfast.sizing.workers import size_workers

USUAL_PORTS = 60_999 - 32_768 + 1
"""Outgoing ports where the host does not say: the kernel's default range."""
SERVED = "workers"
"""The requests that sync workers serve at once: short, they are what to say, not the memory of so
many processes."""
BYTES = frozenset({"memory", "temporary files"})
"""Resources that are said in bytes."""
SPARE_PIDS = 8
"""Processes besides the workers: supervisor, warden, commands of the operator."""


def size(demand: Demand, host: Host, layout: Layout) -> Path:
    """The smallest path that holds `demand` on `host`.

    Raises Impossible with the resource that is short, how much is missing, and what fits.
    """
    path, short = attempt(demand, host, layout)
    if short is None:
        return path
    fits = largest(lambda n: attempt(scaled(demand, n), host, layout)[1] is None, demand.in_flight)
    if short.resource == SERVED:
        raise _one_each(demand, fits, _at_best(demand, host, layout))
    raise _impossible(short, demand, held_to(short, demand, layout.beyond), fits)


def scaled(demand: Demand, in_flight: int) -> Demand:
    """The same mix at another number: the burst grows with it."""
    burst = math.ceil(demand.burst * in_flight / demand.in_flight)
    return msgspec.structs.replace(demand, in_flight=in_flight, burst=burst)


def attempt(demand: Demand, host: Host, layout: Layout) -> tuple[Path, Limit | None]:
    """The path as sized, and the limit that is too narrow for the demand, if one is."""
    path = _path(demand, host, layout, MOST_PROCESSES)
    most = with_room(demand, layout.beyond)
    limits = sorted(all_limits(path, most), key=lambda limit: limit.resource != SERVED)
    for limit in limits:
        if needed(limit, held_to(limit, demand, layout.beyond)) > limit.capacity:
            return path, limit
    return path, None


def _path(demand: Demand, host: Host, layout: Layout, most: int) -> Path:
    """The path with as many workers as hold the demand, or with `most` where no number does."""
    sized = size_workers(with_room(demand, layout.beyond), host, layout, most)
    *edge, workers = admitted(sized, demand, host, layout)
    hops = [_kernel(host, layout)]
    if layout.generator is not None:
        hops.append(_generator(layout.generator, demand, host))
    services = [_service(told, demand, host, workers) for told in layout.services]
    return Path((host,), (*hops, *edge, workers, *services))


def all_limits(path: Path, demand: Demand) -> tuple[Limit, ...]:
    """Every limit that a sized path is held to: those that requests take of, and processes."""
    return (*path_limits(path, demand), *_pids(path, path.hosts[0]))


def needed(limit: Limit, demand: Demand) -> float:
    """The capacity of one scope that makes the demand sure: the inverse of `holds`."""
    if limit.bounds == "rate":
        return limit.per_request * demand.rate / limit.scopes / limit.onset
    by = limit.together
    requests = on_one(demand.in_flight, limit.scopes, limit.spread, demand.miss, together=by)
    idle = on_one(demand.idle, limit.scopes, limit.spread, demand.miss, spare=False)
    free = (requests * limit.per_request - 1e-6) / limit.onset + idle * limit.per_idle
    return limit.own + math.ceil(free - 1e-6)


def _kernel(host: Host, layout: Layout) -> Hop:
    release = host.get("kernel_release")
    version = str(release.value) if release is not None else ""
    costs = (layout.socket_end_bytes, layout.unix_end_bytes, layout.thread_bytes)
    values = tuple(value for value in costs if value is not None)
    return Hop("kernel", "kernel", version, host.name, 1, values)


def _generator(profile: Profile, demand: Demand, host: Host) -> Hop:
    """Processes of the load generator, each with a source address of its own."""
    ports = _ports(host, USUAL_PORTS)
    files = number(host, "nofile_hard", math.inf) - profile.own_descriptors.number
    room = max(1, int(min(MOST_CLIENTS, ports * service.SLOW_PORTS, files)))
    clients = math.ceil(demand.in_flight / demand.streams) + demand.idle + 1
    count = math.ceil(clients / room)
    values = (
        derived("processes", count, f"{clients:,} clients, {room:,} sockets a process"),
        derived("clients_per_process", room, "least of 18,000, half the ports, descriptors"),
        *profile.values(),
    )
    return Hop("clients", "holdfast-load", profile.version, host.name, count, values)


def _service(told: Service, demand: Demand, host: Host, workers: Hop) -> Hop:
    """A service's hop: its addresses as told, or the fewest whose ports and descriptors do."""
    ports = _ports(host, math.inf)
    here = told.profile
    files = math.inf if here is None else number(host, "nofile_hard", math.inf)
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

    return hop(smallest(holds, MOST_PROCESSES))


PID_LIMITS = (
    ("processes", "pids_max", "pids_used", "cgroup pids.max"),
    ("process numbers", "pid_max", "threads_used", "kernel.pid_max"),
    ("threads", "threads_max", "threads_used", "kernel.threads-max"),
)
"""What counts processes: the resource, the host's values of the most and of those there, whose."""


def _pids(path: Path, host: Host) -> tuple[Limit, ...]:
    """Processes against the control group's limit and the kernel's: no request takes any."""
    here = [hop for hop in path.hops if hop.host == host.name and hop.program != "kernel"]
    planned = sum(hop.processes + (hop.program == "nginx") for hop in here)  # nginx: its master
    pools = ((hop.processes, hop.get("threads")) for hop in here)
    planned += sum(count * int(each.number) for count, each in pools if each is not None)
    found = []
    for resource, setting, there, enforcer in PID_LIMITS:
        most, used = host.get(setting), number(host, there, 0)
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


def _impossible(short: Limit, demand: Demand, held: Demand, fits: int) -> Impossible:
    need = needed(short, held)
    say = format_bytes if short.resource in BYTES else _plain
    each = "" if short.scopes == 1 else f" in each of {short.scopes}"
    return Impossible(
        f"{demand.in_flight:,} in flight need {say(need)} of {short.resource}{each}, "
        f"and there is {say(short.capacity)}: {short.formula}",
        resource=short.resource,
        missing=need - short.capacity,
        fits=fits,
        hint=f"{fits:,} in flight fit here; {_way_out(short)}",
    )


def _at_best(demand: Demand, host: Host, layout: Layout) -> int:
    """Workers of one request each that nothing but their own number keeps from running here."""

    def fits(count: int) -> bool:
        asked = scaled(demand, count)
        limits = all_limits(_path(asked, host, layout, count), asked)
        return all(
            limit.resource == SERVED or needed(limit, asked) <= limit.capacity for limit in limits
        )

    return largest(fits, MOST_PROCESSES + 1)


def _one_each(demand: Demand, fits: int, best: int) -> Impossible:
    """A worker that serves one request may be given a second one while others have none."""
    return Impossible(
        f"{demand.in_flight:,} in flight need as many sync workers, which serve one request each, "
        f"and {best:,} of them fit here: they answer {best:,} at once at best",
        resource=SERVED,
        missing=demand.in_flight - best,
        fits=fits,
        hint=f"{fits:,} in flight {'is' if fits == 1 else 'are'} sure here, since a request may "
        "wait for a worker that has one; use an engine that holds more than a request in each",
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
        "requests": "or add hosts, or have each hold more (its `in_flight`)",
        "processes": "or raise pids.max of the control group",
        "process numbers": "or raise kernel.pid_max",
        "threads": "or raise kernel.threads-max",
        "open files": "or raise fs.file-max",
        "temporary files": "or say `buffered = false` or a larger `memory` in `[edge.body]`",
    }
    return ways.get(short.resource, "or raise that limit")
