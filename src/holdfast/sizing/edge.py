"""Sizes an edge before the workers: nginx or HAProxy, every value derived. No I/O.

The formulas are the design's: nginx per worker floor((worker_connections - 1 - listeners) / 2),
onset at 15/16; HAProxy's maxsock = 2 maxconn + own must fit the descriptors.
"""

from __future__ import annotations

import bisect
import math
from typing import Literal

import msgspec

from holdfast.model.errors import Impossible
from holdfast.model.path import Demand, Hop, Host, Link, Protocol, Spread
from holdfast.model.values import Value, assumed, derived
from holdfast.sizing.direct import MOST_PROCESSES, on_one

Program = Literal["nginx", "haproxy"]

NGINX_ONSET = 15 / 16
"""nginx closes what has not asked yet once 1/16 of `worker_connections` is free."""
NGINX_LISTENERS = 2
"""One port and one probe socket; each worker's channel to its master is one connection more."""
NGINX_OWN = 6
"""Descriptors of a worker besides connections, and besides its listeners and one channel for each
worker: the standard ones and the error log (4), epoll and an event."""
HAPROXY_OWN = 22
"""What HAProxy adds to 2 maxconn to make maxsock, besides three a thread: 10 of its own, a listener
on the port, one of the runtime API and 10 clients of that (`compute_ideal_maxsock`)."""
A_THREAD = 3
MOST_THREADS = 64
"""HAProxy's own limit of a process (MAX_THREADS)."""
UPSTREAM_IDLE_S = 5.0
POOL = "a part of maxsock, in per cent: with many in flight more is taken"
PATIENCE_S = 10.0
"""HAProxy ends itself so much later than whoever stops it would have."""
CAP_SLACK = 1.05
"""The fullest slot has at most so much more than the mean."""


class EdgeLayout(msgspec.Struct, frozen=True):
    """What an edge is told of the path: which program, and what stands behind it.

    `workers` slots, each of which keeps an idle connection `keep_alive_s`; the longest request
    takes `longest_s`, and a stop gives `grace_s`.
    """

    program: Program
    version: str
    workers: int
    keep_alive_s: float = 75.0
    grace_s: float = 30.0
    longest_s: float = 60.0
    request_buffering: bool = True


def size_edge(demand: Demand, host: Host, layout: EdgeLayout) -> Hop:
    """The hop `edge` with the fewest processes that hold `demand`, its values derived.

    Raises Impossible where no number of processes has the descriptors and accept queues.
    """
    count = _processes(demand, host, layout)
    if count is None:
        raise _impossible(demand, host, layout)
    if layout.program == "nginx":
        values = _nginx(demand, host, layout, count)
    else:
        values = _haproxy(demand, host, layout, count)
    idle = min(UPSTREAM_IDLE_S, layout.keep_alive_s / 2)
    why = "idle connections end at the edge, long before the worker ends them, and so soon that a"
    spare = derived("upstream_keepalive_timeout_s", idle, f"{why} replaced worker need not wait")
    link = Link(
        "workers",
        Protocol.UNIX,
        1.0,
        Spread.LEAST,
        assumed("dialler_idle_s", idle, f"{why} replaced worker need not wait"),
        derived("listener_idle_s", layout.keep_alive_s, "longer than the edge's"),
    )
    values += (spare,) if layout.program == "nginx" else ()
    return Hop("edge", layout.program, layout.version, host.name, count, values, (link,))


def _processes(demand: Demand, host: Host, layout: EdgeLayout) -> int | None:
    """The fewest processes whose descriptors and accept queues do; None where no number does.

    More processes have fewer connections each, but nginx's hold a descriptor for each other one.
    """
    files, queue = _number(host, "nofile_hard"), _number(host, "somaxconn")
    taken = demand.in_flight * (1 + 1 / demand.streams)
    least = 1 if math.isinf(files) else max(1, math.ceil(taken / files))  # an even spread's
    for count in range(least, MOST_PROCESSES + 1):
        own = _own(host, layout, count)
        if own >= files:
            return None
        if _nofile(demand, host, layout, count) <= files and _burst(demand, count) <= queue:
            cores = min(math.floor(host.cores) or 1, demand.in_flight)
            return max(count, cores) if layout.program == "nginx" else count
    return None


def _each(demand: Demand, count: int) -> tuple[int, int]:
    """Requests and idle clients of the fullest of `count` processes: the kernel hashes clients."""
    spread = Spread.HASH if count > 1 else Spread.ONLY
    requests = on_one(demand.in_flight, count, spread, demand.miss)
    return requests, on_one(demand.idle, count, spread, demand.miss, spare=False)


def _connections(demand: Demand, count: int) -> int:
    """`worker_connections` of nginx: the inverse of its wall, with onset at 15/16."""
    requests, idle = _each(demand, count)
    taken = requests * (1 + 1 / demand.streams) / NGINX_ONSET
    return 1 + NGINX_LISTENERS + math.ceil(taken - 1e-6) + idle


def _maxconn(demand: Demand, count: int) -> int:
    """`maxconn` of HAProxy: half the sockets of one process; idle clients hold their places."""
    requests, idle = _each(demand, count)
    return math.ceil(requests * (1 + 1 / demand.streams) / 2) + idle


def _threads(host: Host, count: int) -> int:
    return max(1, min(MOST_THREADS, math.floor(host.cores) // count))


def _own(host: Host, layout: EdgeLayout, count: int) -> int:
    if layout.program == "nginx":
        return NGINX_OWN + count * (1 + NGINX_LISTENERS)
    return HAPROXY_OWN + A_THREAD * _threads(host, count)


def _nofile(demand: Demand, host: Host, layout: EdgeLayout, count: int) -> int:
    own = _own(host, layout, count)
    if layout.program == "nginx":
        return _connections(demand, count) + own
    return 2 * _maxconn(demand, count) + own


def _nginx(demand: Demand, host: Host, layout: EdgeLayout, count: int) -> tuple[Value, ...]:
    requests, idle = _each(demand, count)
    connections, own = _connections(demand, count), _own(host, layout, count)
    a_second = min(requests, math.ceil(demand.rate / count))
    taken = 1 + 1 / demand.streams
    return (
        derived("worker_processes", count, "a core each, or as many as their descriptors ask for"),
        derived(
            "worker_connections",
            connections,
            f"{requests:,} requests on the fullest of {count} x {taken:g} / (15/16) "
            f"+ {idle:,} idle clients + 1 + {NGINX_LISTENERS} listeners",
        ),
        derived(
            "worker_rlimit_nofile",
            connections + own,
            f"{connections:,} connections + {own} of its own",
        ),
        _backlog(demand, count),
        derived(
            "keepalive",
            a_second,
            f"answers of a second in one process: {demand.rate:,.0f}/s / {count}",
        ),
        derived("keepalive_timeout_s", layout.keep_alive_s, "how long an idle client may stay"),
        assumed("client_body_buffer_size", 16_384, "nginx's default; a larger body is a file"),
        assumed("proxy_connect_timeout_s", 5, "a unix socket answers at once or not at all"),
        derived("proxy_read_timeout_s", *_longest(layout)),
        assumed(
            "proxy_request_buffering", layout.request_buffering, "on: a slow client costs no worker"
        ),
        assumed(
            "proxy_max_temp_file_size",
            0,
            "answers stay in memory: a file would be one descriptor more a request",
        ),
        derived("listeners", NGINX_LISTENERS, "the port, and the probe's socket"),
        assumed("reuseport", True, "a socket a worker: the kernel hashes, and none is left out"),
        assumed("log_files", 0, "no access log"),
        assumed("zone", True, "one count of connections for all workers of nginx"),
    )


def _haproxy(demand: Demand, host: Host, layout: EdgeLayout, count: int) -> tuple[Value, ...]:
    requests, idle = _each(demand, count)
    maxconn = _maxconn(demand, count)
    threads, own = _threads(host, count), _own(host, layout, count)
    share = math.ceil(requests / layout.workers)
    cap = math.ceil(share * CAP_SLACK) + 1
    needed = 2 * maxconn + own
    longest = _longest(layout)
    return (
        derived(
            "maxconn",
            maxconn,
            f"{requests:,} requests on the fullest of {count} + {idle:,} idle clients; it fixes "
            f"maxsock, 2 x {maxconn:,} + own",
        ),
        derived("ulimit_n", needed, f"maxsock: 2 x {maxconn:,} + {own} of its own"),
        derived("nbthread", threads, f"{host.cores:g} cores / {count} processes"),
        derived(
            "server_maxconn",
            cap,
            f"{requests:,} / {layout.workers} slots x {CAP_SLACK:g}; each of {count} processes "
            "counts for itself",
        ),
        _backlog(demand, count),
        *(
            assumed(f"tune_pool_{end}_fd_ratio", share, f"{POOL}, and none would be kept at {was}")
            for end, share, was in (("low", 99, 20), ("high", 100, 25))
        ),
        derived("listeners", 1, "a socket of the port each process"),
        derived("stats_sockets", 1, "the runtime API"),
        derived(
            "hard_stop_after_s",
            layout.grace_s + PATIENCE_S,
            f"after the {layout.grace_s:g} s that requests in flight are given to finish",
        ),
        assumed("timeout_connect_s", 5, "a unix socket answers at once or not at all"),
        derived("timeout_client_s", *longest),
        derived("timeout_server_s", *longest),
        derived("timeout_queue_s", *longest),
        assumed("timeout_http_request_s", 10, "a client that sends a byte a second is cut"),
        derived(
            "timeout_http_keep_alive_s", layout.keep_alive_s, "how long an idle client may stay"
        ),
    )


def _longest(layout: EdgeLayout) -> tuple[float, str]:
    """What outlasts the app's longest request, and why."""
    longest = layout.longest_s
    return math.ceil(longest * 1.5), f"outlasts the longest request, {longest:g} s"


def _burst(demand: Demand, count: int) -> int:
    """Connections of the burst on the fullest of `count` listening sockets."""
    spread = Spread.HASH if count > 1 else Spread.ONLY
    clients = math.ceil(demand.burst / demand.streams)
    return max(1, on_one(clients, count, spread, demand.miss, spare=False))


def _backlog(demand: Demand, count: int) -> Value:
    """Room in one listening socket for the burst; the kernel cuts it to somaxconn."""
    why = f"{demand.burst:,} arrive within {demand.burst_s:g} s; on the fullest of {count}"
    return derived("backlog", _burst(demand, count), why)


def _number(host: Host, setting: str) -> float:
    found = host.get(setting)
    return math.inf if found is None or found.value is None else found.number


def _impossible(demand: Demand, host: Host, layout: EdgeLayout) -> Impossible:
    """What is short for a single request more than fits."""

    def too_many(in_flight: int) -> bool:
        burst = math.ceil(demand.burst * in_flight / demand.in_flight)
        less = msgspec.structs.replace(demand, in_flight=in_flight, burst=burst)
        return _processes(less, host, layout) is None

    fits = bisect.bisect_left(range(1, demand.in_flight), True, key=too_many)
    files = _number(host, "nofile_hard")
    needed = min(_nofile(demand, host, layout, count) for count in (1, 16, 256, MOST_PROCESSES))
    return Impossible(
        f"{files:,.0f} descriptors a process are too few for {demand.in_flight:,} in flight "
        f"behind {layout.program}, in any number of processes",
        resource="descriptors",
        missing=max(1.0, needed - files),
        fits=fits,
        hint=f"{fits:,} in flight fit here; or raise the hard limit (`LimitNOFILE`, `ulimit -Hn`)",
    )
