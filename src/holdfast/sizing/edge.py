"""Sizes an edge before the workers: nginx or HAProxy, every value derived. No I/O.

The formulas are the design's: nginx per worker floor((worker_connections - 1 - listeners) / 2),
onset at 15/16; HAProxy's maxsock = 2 maxconn + own must fit the descriptors, with room for what
its servers' pools keep: an idle connection is of use to its own server only.
"""

from __future__ import annotations

import math

import msgspec

from holdfast.model.path import Demand, Hop, Host, Link, Protocol, Spread
from holdfast.model.values import Value, derived, observed
from holdfast.programs import haproxy, nginx
from holdfast.sizing import content, hosts, tls
from holdfast.sizing.counting import MOST_PROCESSES, number, on_one, smallest
from holdfast.sizing.layout import EdgeLayout
from holdfast.sizing.operating import SPARE_FACTOR
from holdfast.sizing.upgrades import upgraded

NGINX_LISTENERS = 2
"""One port and one probe socket; each worker's channel to its master is one connection more."""
HAPROXY_LISTENERS = 1
"""A socket of the port each process; the runtime API's is counted beside it."""
MOST_THREADS = 64
"""HAProxy's own limit of a process (MAX_THREADS)."""
UPSTREAM_IDLE_S = 5.0
LEAST_SILENCE_S = 60.0
"""No client is asked whether it is there before it was silent for so long."""
POOL = "a part of maxsock, in per cent: with many in flight more is taken"
PATIENCE_S = 10.0
"""HAProxy ends itself so much later than whoever stops it would have."""
HEAD_S = 10
SLOW_HEAD = "for a whole head: a client that sends a byte a second is cut"
BUFFERED = {True: "on: a slow client costs no worker", False: "off: the app reads while it comes"}
CAP_SLACK = 1.05
"""The fullest slot has at most so much more than the mean."""


def size_edge(demand: Demand, host: Host, layout: EdgeLayout, workers: int) -> Hop:
    """The hop `edge` with the fewest processes that hold `demand`, before its workers or hosts.

    Where no number of processes has the descriptors and accept queues, its values are as far as
    the host lets them go, and its limits say what is short.
    """
    layout = msgspec.structs.replace(layout, checked=hosts.checked(layout, workers))
    count = _processes(demand, host, layout, workers)
    if layout.program == "nginx":
        values = _nginx(demand, host, layout, count)
    else:
        values = _haproxy(demand, host, layout, count, workers)
    values = hosts.changed(values, demand, layout)
    link = hosts.to_hosts(layout) if layout.front.hosts else _to_workers(layout)
    if layout.program == "nginx":
        idle = link.dialler_idle_s
        values += (derived("upstream_keepalive_timeout_s", idle.number, idle.why),)
    values += (*upgraded(layout), *layout.costs)
    return Hop("edge", layout.program, layout.version, host.name, count, values, (link,))


def _to_workers(layout: EdgeLayout) -> Link:
    """The link to the workers of this host: a unix socket for each."""
    why = "idle connections end at the edge, long before the worker ends them, and so soon that a"
    return Link(
        "workers",
        Protocol.UNIX,
        1.0,
        Spread.LEAST,
        derived(
            "dialler_idle_s",
            min(UPSTREAM_IDLE_S, layout.keep_alive_s / 2),
            f"{why} replaced worker need not wait",
        ),
        derived("listener_idle_s", layout.keep_alive_s, "longer than the edge's"),
    )


def _processes(demand: Demand, host: Host, layout: EdgeLayout, workers: int) -> int:
    """The fewest processes whose descriptors and accept queues do; where none do, those of an
    even spread.

    More processes have fewer connections each, but nginx's hold a descriptor for each other one: so
    its descriptors are tried in turn, from where the accept queues do; all else is halved towards.
    """
    files, queue = number(host, "nofile_hard"), number(host, "somaxconn")
    taken = demand.in_flight * (1 + 1 / demand.streams)
    least = 1 if math.isinf(files) else max(1, math.ceil(taken / files))  # an even spread's
    queued = smallest(lambda count: _burst(demand, count) <= queue, MOST_PROCESSES)
    if _burst(demand, queued) > queue:
        return min(least, MOST_PROCESSES)

    def fits(count: int) -> bool:
        asked = _nofile(demand, host, layout, count, workers)
        return count >= max(least, queued) and asked <= files

    if layout.program == "haproxy":  # more processes never ask for more descriptors each
        count = smallest(fits, MOST_PROCESSES)
        return count if fits(count) else min(least, MOST_PROCESSES)
    for count in range(max(least, queued), MOST_PROCESSES + 1):
        if _own(host, layout, count) >= files:
            break
        if fits(count):
            return max(count, min(math.floor(host.cores) or 1, demand.in_flight))
    return min(least, MOST_PROCESSES)


def _each(demand: Demand, count: int) -> tuple[int, int]:
    """Requests and idle clients of the fullest of `count` processes: the kernel hashes clients.

    Where another one dies, its clients come back at once, and are hashed over all sockets, its own
    among them: each has 1/count of them more.
    """
    if count == 1:
        requests = on_one(demand.in_flight, 1, Spread.ONLY, demand.miss)
        return requests, demand.idle

    def with_back(asked: int, together: float) -> int:
        own = on_one(asked, count, Spread.HASH, demand.miss, together=together)
        back = on_one(own, count, Spread.HASH, demand.miss, together=together)
        return min(own + back, asked)

    return with_back(demand.in_flight, demand.streams), with_back(demand.idle, 1.0)


def _of(count: int) -> str:
    """The processes in a formula: each has room for clients of one other."""
    back = f", 1/{count} of another one's among them that come back when it dies,"
    return f"{count}{back if count > 1 else ''}"


def _connections(demand: Demand, layout: EdgeLayout, count: int) -> int:
    """`worker_connections` of nginx: the inverse of its wall, with onset at 15/16."""
    requests, idle = _each(demand, count)
    taken = requests * (1 + 1 / demand.streams) / nginx.REUSE_SHARE
    return 1 + _listeners(layout) + math.ceil(taken - 1e-6) + idle + _kept(demand, layout, count)


def _kept(demand: Demand, layout: EdgeLayout, count: int) -> int:
    """Places of idle upstream connections beside the requests: they stay with a host that gets
    less while another one, which is back, gets all that comes."""
    return _a_second(demand, _each(demand, count)[0], count) if layout.front.hosts else 0


def _let_in(demand: Demand, count: int) -> int:
    """`maxconn` of HAProxy's frontend: half the sockets that requests on one process take; idle
    clients hold their places."""
    requests, idle = _each(demand, count)
    return math.ceil(requests * (1 + 1 / demand.streams) / 2) + idle


def _may_idle(demand: Demand, layout: EdgeLayout, count: int, workers: int) -> tuple[int, int]:
    """Connections that one HAProxy may keep idle beside those of requests; and to how many servers.

    None of them serves another server's requests, and none is closed to make room for those: so
    they pile up where the load moves, as it does when slots or hosts come. Of slots there may be
    more than are planned; of hosts, all may be there.
    """
    servers = len(layout.front.hosts) or SPARE_FACTOR * workers
    usual = workers if layout.front.hosts else servers
    wanted = max(_a_second(demand, _each(demand, count)[0], count), usual)  # one to each
    most = math.ceil(wanted * servers / usual)
    return most, servers


def _maxconn(demand: Demand, layout: EdgeLayout, count: int, workers: int) -> int:
    """`maxconn` of HAProxy, which makes two sockets of each: with room for what may be idle."""
    most, _ = _may_idle(demand, layout, count, workers)
    return _let_in(demand, count) + math.ceil(most / 2)


def _listeners(layout: EdgeLayout) -> int:
    own = NGINX_LISTENERS if layout.program == "nginx" else HAPROXY_LISTENERS
    return own + tls.ports_besides(layout.front)


def _threads(host: Host, count: int) -> int:
    return max(1, min(MOST_THREADS, math.floor(host.cores) // count))


def _own(host: Host, layout: EdgeLayout, count: int) -> int:
    if layout.program == "nginx":
        return nginx.OWN + count * (1 + _listeners(layout)) + content.open_files(layout.front)
    commands = 1 + haproxy.STATS_CLIENTS  # the runtime API's socket, and who asks there
    counted = (
        *(haproxy.RESERVED, _listeners(layout), layout.checked, commands),
        haproxy.A_THREAD * _threads(host, count),
    )
    return sum(counted)


def _nofile(demand: Demand, host: Host, layout: EdgeLayout, count: int, workers: int) -> int:
    own = _own(host, layout, count)
    if layout.program == "nginx":
        bodies = content.body_files(layout.front, demand, _each(demand, count)[0])
        return _connections(demand, layout, count) + bodies + own
    return 2 * _maxconn(demand, layout, count, workers) + own


def _nginx(demand: Demand, host: Host, layout: EdgeLayout, count: int) -> tuple[Value, ...]:
    requests, idle = _each(demand, count)
    connections, own = _connections(demand, layout, count), _own(host, layout, count)
    taken = 1 + 1 / demand.streams
    bodies = content.body_files(layout.front, demand, requests)
    return (
        derived("worker_processes", count, "a core each, or as many as their descriptors ask for"),
        derived(
            "worker_connections",
            connections,
            f"{requests:,} requests on the fullest of {_of(count)} x {taken:g} / (15/16) "
            f"+ {idle:,} idle clients{hosts.kept(_kept(demand, layout, count))} "
            f"+ 1 + {_listeners(layout)} listeners",
        ),
        _files(
            "worker_rlimit_nofile",
            connections + bodies + own,
            host,
            f"{connections:,} connections + {own} of its own{content.said(bodies)}",
        ),
        _backlog(demand, host, layout, count),
        derived(
            "keepalive",
            _a_second(demand, requests, count),
            f"answers of a second in one process: {demand.rate:,.0f}/s / {count}",
        ),
        derived("keepalive_timeout_s", layout.keep_alive_s, "how long an idle client may stay"),
        derived("client_header_timeout_s", HEAD_S, SLOW_HEAD),
        derived("client_body_timeout_s", 60, "nginx's default: between two reads of a body"),
        *_clients(layout),
        content.largest("client_max_body_size", layout.front, demand),
        *content.nginx(layout.front, _longest(layout)[0], count),
        derived("proxy_connect_timeout_s", 5, "a unix socket answers at once or not at all"),
        derived("proxy_read_timeout_s", *_longest(layout)),
        _buffered("proxy_request_buffering", layout),
        derived(
            "proxy_max_temp_file_size",
            0,
            "answers stay in memory: a file would be one descriptor more a request",
        ),
        derived("listeners", _listeners(layout), "each port, and the probe's socket"),
        derived("reuseport", True, "a socket a worker: the kernel hashes, and none is left out"),
        derived("log_files", 0, "no access log"),
        derived("zone", True, "one count of connections for all workers of nginx"),
        *tls.nginx_values(demand, layout),
    )


def _haproxy(
    demand: Demand, host: Host, layout: EdgeLayout, count: int, workers: int
) -> tuple[Value, ...]:
    requests, _ = _each(demand, count)
    may_idle, servers = _may_idle(demand, layout, count, workers)
    threads = _threads(host, count)
    cap = math.ceil(math.ceil(requests / workers) * CAP_SLACK) + 1
    longest = _longest(layout)
    return (
        *_descriptors(demand, host, layout, count, workers),
        derived("nbthread", threads, f"{host.cores:g} cores / {count} processes"),
        derived(
            "server_maxconn",
            cap,
            f"{requests:,} / {workers} slots x {CAP_SLACK:g}; each of {count} processes "
            "counts for itself",
        ),
        derived(
            "server_pool_max_conn",
            may_idle // servers,
            f"{may_idle:,} that may be left idle / {servers} servers that there may be: the "
            f"answers of a second, {demand.rate:,.0f}/s / {count}, or one each",
        ),
        _backlog(demand, host, layout, count),
        *(
            derived(f"tune_pool_{end}_fd_ratio", share, f"{POOL}, and none would be kept at {was}")
            for end, share, was in (("low", 99, 20), ("high", 100, 25))
        ),
        derived("listeners", _listeners(layout), "a socket of each port each process"),
        derived("stats_sockets", 1, "the runtime API"),
        derived(
            "hard_stop_after_s",
            layout.grace_s + PATIENCE_S,
            f"after the {layout.grace_s:g} s that requests in flight are given to finish",
        ),
        derived("timeout_connect_s", 5, "a unix socket answers at once or not at all"),
        derived("timeout_client_s", *longest),
        derived("timeout_server_s", *longest),
        derived("timeout_queue_s", *longest),
        derived("timeout_http_request_s", HEAD_S, SLOW_HEAD),
        *_clients(layout),
        content.largest("max_body", layout.front, demand),
        _buffered("request_buffering", layout),
        *content.haproxy(layout.front, count),
        derived(
            "timeout_http_keep_alive_s", layout.keep_alive_s, "how long an idle client may stay"
        ),
        *tls.haproxy_values(demand, layout, count),
    )


def _descriptors(
    demand: Demand, host: Host, layout: EdgeLayout, count: int, workers: int
) -> tuple[Value, ...]:
    """How many clients one HAProxy lets in, and its descriptors, which its `maxconn` makes."""
    requests, idle = _each(demand, count)
    let_in, maxconn = _let_in(demand, count), _maxconn(demand, layout, count, workers)
    kept, own = _may_idle(demand, layout, count, workers)[0], _own(host, layout, count)
    needed, files = 2 * maxconn + own, number(host, "nofile_hard")
    clients = f"{requests:,} requests on the fullest of {_of(count)} + {idle:,} idle clients"
    front = derived("frontend_maxconn", let_in, clients)
    if needed > files:  # its `maxsock` would be more than it may have, and it would not start
        maxconn = max(2, int(files - own) // 2)
        let_in = max(1, maxconn - math.ceil(kept / 2))
        front = observed("frontend_maxconn", let_in, f"as descriptors let it, for {clients}")
    return (
        derived(
            "maxconn",
            maxconn,
            f"{let_in:,} of the frontend + {kept:,} connections that may be left idle / 2; it "
            f"fixes maxsock, 2 x {maxconn:,} + own",
        ),
        front,
        _files("ulimit_n", needed, host, f"maxsock, 2 x `maxconn` + {own} of its own"),
    )


def _clients(layout: EdgeLayout) -> tuple[Value, ...]:
    """How a client that is gone without a word is found out: by TCP's own questions.

    Not before its answer is overdue: clients that came together are asked together, the kernel's
    timers of a minute being rounded to seconds, and where more packets come at once than
    netdev_max_backlog takes, live ones are given up (docs/design/0015).
    """
    idle, every, probes = math.ceil(max(LEAST_SILENCE_S, layout.longest_s)), 10, 3
    gone = f"{idle} + {probes} x {every} s after its last word"
    return (
        derived(
            "keepalive_idle_s",
            idle,
            f"the longest request, and a minute at least; whoever is not there then is gone {gone}",
        ),
        derived("keepalive_every_s", every, f"gone {gone}"),
        derived("keepalive_probes", probes, f"gone {gone}"),
    )


def _buffered(setting: str, layout: EdgeLayout) -> Value:
    buffered = layout.front.body.buffered
    return derived(setting, buffered, BUFFERED[buffered])


def _longest(layout: EdgeLayout) -> tuple[float, str]:
    """What outlasts the app's longest request, and why."""
    longest = layout.longest_s
    return math.ceil(longest * 1.5), f"outlasts the longest request, {longest:g} s"


def _a_second(demand: Demand, requests: int, count: int) -> int:
    """Answers of one second in one process, all of which may leave an idle connection."""
    return min(requests, math.ceil(demand.rate / count))


def _files(setting: str, needed: int, host: Host, why: str) -> Value:
    """Descriptors of a process: as many as it needs, or as the host allows."""
    files = number(host, "nofile_hard")
    if needed <= files:
        return derived(setting, needed, why)
    return observed(setting, int(files), f"hard limit; {needed:,} needed: {why}")


def _burst(demand: Demand, count: int) -> int:
    """Connections of the burst on the fullest of `count` listening sockets."""
    return max(1, _arriving(demand.burst, demand, count))


def _arriving(requests: float, demand: Demand, count: int) -> int:
    spread = Spread.HASH if count > 1 else Spread.ONLY
    clients = math.ceil(requests / demand.streams)
    return on_one(clients, count, spread, demand.miss, spare=False)


def _backlog(demand: Demand, host: Host, layout: EdgeLayout, count: int) -> Value:
    """Room in one listening socket: for the burst, or for a trial's opening as far as it may."""
    burst, arrive = _burst(demand, count), f"arrive within {demand.burst_s:g} s"
    opened = min(layout.opening_rate * demand.burst_s, demand.in_flight)
    opening = min(_arriving(opened, demand, count), number(host, "somaxconn"))
    if opening > burst:
        why = f"a trial's {opened:,.0f} clients {arrive}; on the fullest of {count}"
        return derived("backlog", int(opening), why)
    why = f"{demand.burst:,} {arrive}; on the fullest of {count}"
    if burst > (room := number(host, "somaxconn")):
        return derived("backlog", int(room), f"{why}: {burst:,}, as far as somaxconn lets them")
    return derived("backlog", burst, why)
