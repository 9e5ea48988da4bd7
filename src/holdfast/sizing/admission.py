"""Sizes admission: who keeps N, how many more may wait, and the room to tell the others. No I/O.

One program acts, and no other cap is in its way: HAProxy's queue, nginx's `limit_conn` where nobody
waits, since nginx has no line, and else the workers' own places. An engine that lets in whoever
comes has those whatever stands before it.
"""

from __future__ import annotations

import math

import msgspec

from holdfast.model.front.admission import Admission
from holdfast.model.limit import Limit
from holdfast.model.path import Demand, Hop, Host, Spread
from holdfast.model.values import Value, derived
from holdfast.programs import admission as programs
from holdfast.sizing.counting import number, on_one
from holdfast.sizing.engines import ENGINES
from holdfast.sizing.layout import Layout
from holdfast.sizing.workers import fullest_share

ACTS = frozenset((programs.PLACES, "server_maxconn", "limit_conn"))
"""The resources of which one keeps N."""
LEAST_TOLD = 64
"""Clients at least that there is room to tell; whole places in each worker take some of it."""
AT_ONCE_S = 1
"""HAProxy's `timeout queue` where nobody is to wait: 0 would be for ever, and between its rule and
its queue another thread may take the last place."""


def waiting_room(demand: Demand, admission: Admission) -> int:
    """Requests that may wait: as many as get a place within the wait (rate x wait, Little).

    Whoever would be behind them would wait in vain.
    """
    return math.ceil(demand.rate * (admission.wait or 0.0))


def with_room(demand: Demand, admission: Admission) -> Demand:
    """The demand whose connections and memory there must be: with those that wait, and a second's
    arrivals that are told. They take longer than the others, so the rate stays what it is."""
    if admission.wait is None:
        return demand
    more = waiting_room(demand, admission) + max(LEAST_TOLD, math.ceil(demand.rate))
    longer_s = demand.mean_time_s * more / demand.in_flight
    kinds = tuple(
        msgspec.structs.replace(kind, time_s=kind.time_s + longer_s) for kind in demand.kinds
    )
    most = demand.in_flight + more
    # A larger number is spread more evenly over hashed sockets, by the root at most; the burst that
    # is to come to N is not, so it is made larger by as much.
    burst = math.ceil(demand.burst * math.sqrt(most / demand.in_flight))
    return msgspec.structs.replace(demand, in_flight=most, kinds=kinds, burst=burst)


def held_to(limit: Limit, demand: Demand, admission: Admission) -> Demand:
    """What a limit of the path must hold: the one that keeps N has N, the others have room."""
    return demand if limit.resource in ACTS else with_room(demand, admission)


def admitted(hops: tuple[Hop, ...], demand: Demand, host: Host, layout: Layout) -> tuple[Hop, ...]:
    """The edge, where there is one, and the workers, with the values by which one of them acts."""
    told = layout.beyond
    if told.wait is None:
        return hops
    *edge, workers = _open_wide(hops, demand, host, told)
    program = edge[0].program if edge and not ENGINES[layout.engine].by_places else ""
    if program == "haproxy":
        return (_with(edge[0], _haproxy(edge[0], workers, demand, told)), workers)
    if program == "nginx" and not told.wait:
        return (_with(edge[0], _nginx(demand, told)), workers)
    return (*edge, _with(workers, _places(workers.processes, demand, host, layout)))


def _open_wide(
    hops: tuple[Hop, ...], demand: Demand, host: Host, told: Admission
) -> tuple[Hop, ...]:
    """The hops, the first of which lets all in that there is room for: to be served, wait or be
    told. Who has no place in an accept queue, or no descriptor, would be told by nobody; and what
    is not used of them costs nothing."""
    first, *behind = hops
    most = math.ceil(with_room(demand, told).in_flight / first.processes)
    room = int(min(most, number(host, "somaxconn")))
    why = f"{most:,} in each of {first.processes}, to be served, wait or be told; or somaxconn"
    wide = {"backlog": derived("backlog", room, why)}
    files, nofile = number(host, "nofile_hard"), first.get("nofile")
    if nofile is not None and not math.isinf(files):
        why = f"{nofile.why}; all that it may have, for whoever comes to be told"
        wide["nofile"] = derived("nofile", int(files), why)
    now = {value.setting: value.number for value in first.values if value.setting in wide}
    more = [value for value in wide.values() if value.number > now.get(value.setting, math.inf)]
    return (_with(first, tuple(more)), *behind)


def _places(count: int, demand: Demand, host: Host, layout: Layout) -> tuple[Value, ...]:
    told = layout.beyond
    room = waiting_room(demand, told)
    cap = fullest_share(count, demand, host, layout)
    more = msgspec.structs.replace(demand, in_flight=demand.in_flight + room)
    behind = fullest_share(count, more, host, layout) - cap if room else 0
    return (
        derived(programs.PLACES, cap, f"{demand.in_flight:,} requests on the fullest of {count}"),
        derived(programs.ROOM, behind, _served(demand, told, count)),
        derived(programs.WAIT_S, told.wait or 0.0, "asked for"),
        _again(told),
    )


def _nginx(demand: Demand, told: Admission) -> tuple[Value, ...]:
    return (
        derived(
            "limit_conn",
            demand.in_flight + 1,
            f"{demand.in_flight:,} in flight, and one more",
        ),
        derived("limit_conn_status", 503, "what whoever comes too many is told"),
        _again(told),
    )


def _haproxy(edge: Hop, workers: Hop, demand: Demand, told: Admission) -> tuple[Value, ...]:
    count, wait_s = edge.processes, told.wait or 0.0
    spread = Spread.HASH if count > 1 else Spread.ONLY
    requests = on_one(demand.in_flight, count, spread, demand.miss)
    room = on_one(waiting_room(demand, told), count, spread, demand.miss, spare=False)
    each = math.ceil(requests / workers.processes)
    why = f"{requests:,} requests on the fullest of {count} / {workers.processes} slots"
    queue_s = derived("timeout_queue_s", wait_s, "asked for")
    if not wait_s:
        queue_s = derived("timeout_queue_s", AT_ONCE_S, "nobody waits; 0 would be for ever")
    return (
        derived("server_maxconn", each, why),
        queue_s,
        derived("queue_room", room if wait_s else 0, _served(demand, told, count)),
        _again(told),
    )


def _again(told: Admission) -> Value:
    return derived(programs.RETRY_AFTER_S, told.retry_after_s, "asked for, in whole seconds")


def _served(demand: Demand, told: Admission, count: int) -> str:
    wait_s = told.wait or 0.0
    if not wait_s:
        return "nobody waits"
    return f"{demand.rate:,.0f}/s x {wait_s:g} s get a place in time; on the fullest of {count}"


def _with(hop: Hop, values: tuple[Value, ...]) -> Hop:
    """The hop with these values in place of its own."""
    new = {value.setting for value in values}
    kept = (value for value in hop.values if value.setting not in new)
    return msgspec.structs.replace(hop, values=(*kept, *values))
