"""Sizes the workers: how many processes, their descriptors and accept queues. No I/O."""

from __future__ import annotations

import math

from holdfast.model.path import Demand, Hop, Host, Link, Path, Protocol, Spread
from holdfast.model.values import Value, assumed, derived, observed
from holdfast.programs import kernel, servers
from holdfast.programs.sockets import kept_idle, uneven
from holdfast.sizing.counting import MOST_PROCESSES, number, on_one, smallest
from holdfast.sizing.edge import size_edge
from holdfast.sizing.engines import ENGINES
from holdfast.sizing.hosts import bear_pauses, left, size_hosts
from holdfast.sizing.layout import Layout


def size_workers(
    demand: Demand, host: Host, layout: Layout, most: int = MOST_PROCESSES
) -> tuple[Hop, ...]:
    """The edge, where there is one, and the fewest workers that hold the demand; or the hosts.

    Where no number of workers does, there are `most`, and their values are as far as the host lets
    them go.
    """
    if layout.edge is not None and layout.edge.front.hosts:
        front = layout.edge.front
        bear_pauses(front, demand.in_flight / left(front))
        return (size_edge(demand, host, layout.edge, left(front)), size_hosts(demand, front))
    files, queue = number(host, "nofile_hard"), queue_room(host)
    engine = ENGINES[layout.engine]
    cores = layout.worker.request_cpu_s.number * demand.rate

    def holds(count: int) -> bool:
        each = fullest_share(count, demand, host, layout)
        nofile, backlog = _values(count, demand, host, layout)[:2]
        if engine.most and each > engine.most:
            return False
        busy = cores / count <= servers.EVENT_LOOP_SHARE
        return busy and nofile.number <= files and backlog.number <= queue

    count = smallest(holds, most)
    values = list(_values(count, demand, host, layout))
    if values[0].number > files:
        values[0] = observed("nofile", int(files), f"hard limit; {values[0].number:,.0f} needed")
    why = (
        f"fewest whose {values[0].number:,.0f} descriptors each are allowed, and whose event "
        f"loops carry {cores:.2f} cores of work at {servers.EVENT_LOOP_SHARE} each"
    )
    each = fullest_share(count, demand, host, layout)
    connections = int(values[0].number - math.ceil(layout.worker.own_descriptors.number))
    caps = engine.values(each, connections, layout.engine)
    if layout.edge is not None:
        bear_pauses(layout.edge.front, each)
    told = (*values, derived("workers", count, why), *caps, *layout.worker.values())
    return (*_edge(count, demand, host, layout), _bare(count, host, layout, told))


def queue_room(host: Host) -> float:
    """New connections that the host lets wait on one socket, to shake hands and to be accepted."""
    room, half_open = number(host, "somaxconn"), kernel.half_open_most(host)
    if half_open is None:
        return room
    return min(room, half_open.number * kernel.SYN_BACKLOG_SHARE)


def _edge(count: int, demand: Demand, host: Host, layout: Layout) -> tuple[Hop, ...]:
    return () if layout.edge is None else (size_edge(demand, host, layout.edge, count),)


def _bare(count: int, host: Host, layout: Layout, values: tuple[Value, ...]) -> Hop:
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
    program, version = ENGINES[layout.engine].program, layout.worker.version
    return Hop("workers", program, version, host.name, count, values, links)


def fullest_share(count: int, demand: Demand, host: Host, layout: Layout) -> int:
    """Requests that the fullest of `count` workers must hold so that all are sure."""
    edge = _edge(count, demand, host, layout)
    workers = _bare(count, host, layout, (derived("workers", count, "ours"),))
    share = on_one(demand.in_flight, count, _spread(count, edge), demand.miss)
    return share + uneven(workers, Path((host,), (workers, *edge)))


def _spread(count: int, edge: tuple[Hop, ...]) -> Spread:
    return Spread.ONLY if count == 1 else Spread.LEAST if edge else Spread.HASH


def _values(count: int, demand: Demand, host: Host, layout: Layout) -> tuple[Value, ...]:
    """nofile, backlog, keep_alive_s and grace_s of `count` workers."""
    edge = _edge(count, demand, host, layout)
    workers = _bare(count, host, layout, (derived("workers", count, "ours"),))
    path = Path((host,), (workers, *edge))
    spread = _spread(count, edge)
    each = fullest_share(count, demand, host, layout)
    ends = kernel.socket_ends(workers, path, demand)
    idle = on_one(demand.idle, count, spread, demand.miss, spare=False) if ends.idle else 0
    kept = math.ceil(kept_idle(workers, path))
    own = layout.worker.own_descriptors.number
    beside = ENGINES[layout.engine].kept(each)
    between = f" + {beside:,} kept between requests" if beside else ""
    waiting = f"+ {kept:,} idle connections of the edge" if edge else f"+ {idle:,} idle clients"
    return (
        derived(
            "nofile",
            math.ceil(each * ends.request - 1e-6) + idle + kept + beside + math.ceil(own),
            f"{each:,} requests on the fullest of {count} x {ends.request:g} "
            f"{waiting}{between} + {own:g} of its own",
        ),
        _slot_backlog(each, demand, host) if edge else _backlog(each, count, demand, host, layout),
        derived("keep_alive_s", layout.keep_alive_s, "longer than the clients stay idle"),
        derived("grace_s", layout.grace_s, "what requests in flight are given to finish"),
    )


def _slot_backlog(each: int, demand: Demand, host: Host) -> Value:
    """Room in a slot's accept queue: for the burst, and for all it is to hold as far as may be.

    A full unix socket refuses at once, and room that is not used costs nothing.
    """
    burst = math.ceil(each / demand.in_flight * demand.burst - 1e-6)
    room = int(min(each, number(host, "somaxconn")))
    if burst > room:
        return derived("backlog", burst, f"{demand.burst:,} arrive within {demand.burst_s:g} s")
    why = f"{each:,} on the fullest, as far as somaxconn lets them: a full unix socket refuses"
    return derived("backlog", room, why)


def _backlog(each: int, count: int, demand: Demand, host: Host, layout: Layout) -> Value:
    """Room in a worker's accept queue: for the burst, or for a trial's opening as far as it may.

    The opening needs less, since it waits for the queue; but a worker that finds many connections
    in it accepts them in one go, which is what opens a million.
    """
    share = each / demand.in_flight / demand.streams
    burst = max(1, math.ceil(share * demand.burst - 1e-6))
    opened = min(layout.opening_rate * demand.burst_s, demand.in_flight)
    opening = min(math.ceil(share * opened), queue_room(host))
    arrive = f"arrive within {demand.burst_s:g} s; on the fullest of {count}"
    if opening > burst:
        return derived("backlog", int(opening), f"a trial's {opened:,.0f} clients {arrive}")
    return derived("backlog", burst, f"{demand.burst:,} {arrive}")
