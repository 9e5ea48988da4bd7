"""The small stacks of law 3: three or more for each kind of wall, some settings drawn by lot.

Each is a path, from which both the prediction and the configuration are made.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import cache
from random import Random
from typing import NamedTuple

from holdfast.model.path import Count, Demand, Hop, Host, Kind, Link, Path, Protocol, Spread
from holdfast.model.values import Scalar, Source, Value, assumed
from holdfast.programs.rows import parts
from tests.law3.running import Running, running

ASKED = 100
"""The demand's own number: nothing of a wall but an accept queue's share of it depends on it."""
LASTS_S = 20.0
LOWEST_PORT = 40_000


class Stack(NamedTuple):
    """What is run: the path, how requests arrive, and who stands still while they do."""

    wall: str
    path: Path
    streams: float = 1.0
    idle: int = 0
    stopped: str = ""

    def demand(self, in_flight: int) -> Demand:
        """So many requests; those of a stopped stack arrive at once."""
        burst = in_flight if self.stopped else 0
        kinds = (Kind("held", 1.0, LASTS_S),)
        return Demand(in_flight, kinds, idle=self.idle, streams=self.streams, burst=burst)

    def started(self) -> AbstractContextManager[Running]:
        """The stack as it runs."""
        return running(self.path, self.demand(ASKED))

    def settings(self) -> str:
        """What was drawn and set, in one line, for whoever reads of a failure."""
        hops = (*self.path.hosts, *self.path.hops)
        said = [
            f"{hop.name} " + " ".join(f"{v.setting}={v.value}" for v in hop.values)
            for hop in hops
            if hop.values
        ]
        clients = f"{self.streams:g} streams, {self.idle} idle"
        return "; ".join([*said, clients, f"{self.stopped or 'nobody'} stands still"])


def values(**settings: Scalar) -> tuple[Value, ...]:
    """Settings as they are written in the stack's configuration."""
    return tuple(Value(name, value, Source.WRITTEN, "law 3") for name, value in settings.items())


@cache
def version(program: str) -> str:
    """The installed version: "nginx version: nginx/1.22.1", "HAProxy version 2.6.12-1 ..."."""
    asked = subprocess.run([program, "-v"], capture_output=True, text=True, check=True)
    said = (asked.stdout + asked.stderr).replace("/", " ").split()
    return next(word for word in said if parts(word))


def path(
    program: str,
    edge: dict[str, Scalar],
    *,
    processes: int = 1,
    servers: int = 1,
    app: dict[str, Scalar] | None = None,
    over: Protocol = Protocol.UNIX,
    spread: Spread = Spread.LEAST,
    ports: int = 0,
) -> Path:
    """Clients, an edge, and uvicorn on so many sockets; with `ports`, in a network of its own."""
    host_values = values(somaxconn=4_096)
    if ports:
        host_values += values(port_low=LOWEST_PORT, port_high=LOWEST_PORT + ports - 1)
    idle = assumed("idle_s", 60, "no stack waits for it")
    usual: dict[str, Scalar] = {"log_files": 0} if program == "nginx" else {"nbthread": 1}
    if program == "haproxy":
        usual |= {"stats_sockets": int("server_maxconn" in edge), "timeout_connect_s": 30}
    link = Link("app", over, 1.0, spread, idle, idle)
    return Path(
        (Host("here", Count(), 2.0, 2**34, host_values),),
        (
            Hop("kernel", "kernel", "", "here", 1),
            Hop(
                "edge",
                program,
                version(program),
                "here",
                processes,
                values(**usual | edge),
                (link,),
            ),
            Hop("app", "uvicorn", "", "here", servers, values(**app or {})),
        ),
    )


def _even_connections(draw: Random) -> Stack:
    """One worker, an even number of connections left: the next client is closed."""
    most = 2 * draw.randint(45, 70)
    made = path("nginx", {"worker_connections": most}, app={"limit_concurrency": 100})
    return Stack("worker_connections", made)


def _odd_connections(draw: Random) -> Stack:
    """Three listeners leave an odd number: the next client is let in and told 500."""
    most = 2 * draw.randint(45, 70) + 1
    settings: dict[str, Scalar] = {"worker_connections": most, "listeners": 3}
    return Stack("worker_connections", path("nginx", settings | {"max_conns": 90}))


def _hashed_connections(draw: Random) -> Stack:
    """Two workers over which the kernel hashes clients."""
    most = draw.randint(110, 130)
    settings: dict[str, Scalar] = {"worker_connections": most, "reuseport": True, "zone": True}
    return Stack("worker_connections", path("nginx", settings | {"max_conns": 140}, processes=2))


def _raced_connections(draw: Random) -> Stack:
    """Two workers that race for clients, even when one of them is full."""
    settings: dict[str, Scalar] = {"worker_connections": draw.randint(90, 110), "limit_conn": 130}
    return Stack("worker_connections", path("nginx", settings, processes=2))


def _even_descriptors(draw: Random) -> Stack:
    """nginx out of descriptors, an even number left: the next client waits to be accepted."""
    most = 2 * draw.randint(45, 70)
    settings: dict[str, Scalar] = {"worker_connections": 256, "worker_rlimit_nofile": most}
    return Stack("descriptors", path("nginx", settings))


def _odd_descriptors(draw: Random) -> Stack:
    """Log files and listeners take some, and leave an odd number: the next client is told 500."""
    most = 2 * draw.randint(45, 70)
    settings: dict[str, Scalar] = {"worker_rlimit_nofile": most, "log_files": 2, "listeners": 2}
    return Stack("descriptors", path("nginx", settings | {"max_conns": 80, "zone": True}))


def _haproxy_descriptors(draw: Random) -> Stack:
    """HAProxy with fewer descriptors than its `maxconn` needs, which it was told to bear."""
    most = draw.randint(100, 150)
    settings: dict[str, Scalar] = {"maxconn": 90, "nofile": most}
    return Stack("descriptors", path("haproxy", settings))


def _unix_backlog(draw: Random) -> Stack:
    """The app's unix socket is full: nginx answers 502 at once."""
    app: dict[str, Scalar] = {"backlog": draw.randint(40, 80)}
    made = path("nginx", {"worker_connections": 220}, app=app)
    return Stack("accept queue", made, stopped="app")


def _tcp_backlog(draw: Random) -> Stack:
    """The app's TCP socket is full, and nginx gives up after half a second: 504."""
    app: dict[str, Scalar] = {"backlog": draw.randint(40, 80)}
    settings: dict[str, Scalar] = {"max_conns": 100, "proxy_connect_timeout_s": 0.5}
    return Stack("accept queue", path("nginx", settings, app=app, over=Protocol.TCP), stopped="app")


def _haproxy_unix_backlog(draw: Random) -> Stack:
    """The app's unix socket is full: HAProxy answers 503 at once."""
    app: dict[str, Scalar] = {"backlog": draw.randint(40, 80)}
    return Stack("accept queue", path("haproxy", {"maxconn": 150}, app=app), stopped="app")


def _haproxy_tcp_backlog(draw: Random) -> Stack:
    """The app's TCP socket is full, and HAProxy gives up each of its two tries: 503."""
    app: dict[str, Scalar] = {"backlog": draw.randint(40, 80)}
    settings: dict[str, Scalar] = {"maxconn": 150, "timeout_connect_s": 0.5, "retries": 1}
    made = path("haproxy", settings, app=app, over=Protocol.TCP)
    return Stack("accept queue", made, stopped="app")


def _front_backlog(draw: Random) -> Stack:
    """nginx's own socket is full: the clients' kernel tries again."""
    settings: dict[str, Scalar] = {"backlog": draw.randint(40, 80), "worker_connections": 300}
    return Stack("accept queue", path("nginx", settings), stopped="edge")


def _nginx_ports(draw: Random) -> Stack:
    """One TCP upstream takes all of a narrow range of ports: nginx answers 502."""
    settings: dict[str, Scalar] = {"limit_conn": 90}
    made = path("nginx", settings, over=Protocol.TCP, ports=draw.randint(50, 80))
    return Stack("ports to app", made)


def _haproxy_ports(draw: Random) -> Stack:
    """One TCP server takes all of a narrow range of ports: HAProxy answers 503."""
    settings: dict[str, Scalar] = {"maxconn": 200}
    app: dict[str, Scalar] = {"limit_concurrency": 100}
    made = path("haproxy", settings, app=app, over=Protocol.TCP, ports=draw.randint(50, 80))
    return Stack("ports to app", made)


def _ports_of_two(draw: Random) -> Stack:
    """Two upstream addresses have the range each."""
    settings: dict[str, Scalar] = {
        "limit_conn": 180,
        "worker_connections": 600,
        "next_upstream_off": True,
    }
    made = path("nginx", settings, over=Protocol.TCP, servers=2, ports=draw.randint(40, 60))
    return Stack("ports to app", made)


def _global_maxconn(draw: Random) -> Stack:
    """HAProxy's `maxconn`: who is more waits in the accept queue."""
    settings: dict[str, Scalar] = {"maxconn": draw.randint(40, 80), "server_maxconn": 90}
    return Stack("maxconn", path("haproxy", settings))


def _frontend_maxconn(draw: Random) -> Stack:
    """A frontend's `maxconn` does the same below the process's."""
    settings: dict[str, Scalar] = {"frontend_maxconn": draw.randint(40, 80), "maxconn": 95}
    return Stack("frontend_maxconn", path("haproxy", settings))


def _maxconn_each(draw: Random) -> Stack:
    """Two HAProxy processes on one port count `maxconn` each for itself."""
    settings: dict[str, Scalar] = {"maxconn": draw.randint(40, 60), "backlog": 511}
    app: dict[str, Scalar] = {"limit_concurrency": 130}
    return Stack("maxconn", path("haproxy", settings, processes=2, app=app))


def _server_queue(draw: Random) -> Stack:
    """Two servers' `maxconn` with patience: the rest waits in HAProxy."""
    settings: dict[str, Scalar] = {"server_maxconn": draw.randint(20, 40), "maxconn": 110}
    made = path("haproxy", settings | {"timeout_queue_s": 60}, servers=2)
    return Stack("server_maxconn", made)


def _server_refuses(draw: Random) -> Stack:
    """A server's `maxconn` without patience: 503."""
    settings: dict[str, Scalar] = {"server_maxconn": draw.randint(40, 80), "maxconn": 95}
    return Stack("server_maxconn", path("haproxy", settings | {"timeout_queue_s": 0.05}))


def _max_conns_shared(draw: Random) -> Stack:
    """nginx's `max_conns` in a zone counts for both workers: 502."""
    settings: dict[str, Scalar] = {"max_conns": draw.randint(20, 40), "zone": True}
    made = path("nginx", settings | {"limit_conn": 100}, processes=2, servers=2)
    return Stack("max_conns", made)


def _max_conns_each(draw: Random) -> Stack:
    """Without a zone each worker counts `max_conns` for itself."""
    settings: dict[str, Scalar] = {"max_conns": draw.randint(60, 80), "reuseport": True}
    return Stack("max_conns", path("nginx", settings | {"limit_conn": 200}, processes=2))


def _one_worker_cap(draw: Random) -> Stack:
    """uvicorn's `limit_concurrency` behind nginx answers one fewer than its number: 503."""
    app: dict[str, Scalar] = {"limit_concurrency": draw.randint(50, 80)}
    return Stack("limit_concurrency", path("nginx", {"worker_connections": 200}, app=app))


def _two_worker_caps(draw: Random) -> Stack:
    """Two capped workers behind HAProxy's least connections."""
    app: dict[str, Scalar] = {"limit_concurrency": draw.randint(30, 50)}
    made = path("haproxy", {"server_maxconn": 60, "maxconn": 200}, app=app, servers=2)
    return Stack("limit_concurrency", made)


def _two_caps_behind_nginx(draw: Random) -> Stack:
    """Two capped workers behind nginx's least connections."""
    app: dict[str, Scalar] = {"limit_concurrency": draw.randint(30, 50)}
    made = path("nginx", {"max_conns": 60, "zone": True}, app=app, servers=2)
    return Stack("limit_concurrency", made)


def _streams_to_nginx(draw: Random) -> Stack:
    """HTTP/2 clients of nginx: a request takes an upstream connection and its share of one."""
    settings: dict[str, Scalar] = {"worker_connections": draw.randint(90, 130), "limit_conn": 140}
    return Stack("worker_connections", path("nginx", settings), streams=draw.randint(10, 30))


def _streams_to_haproxy(draw: Random) -> Stack:
    """HTTP/2 clients of HAProxy go past `maxconn` and find `maxsock`: 503."""
    made = path("haproxy", {"maxconn": draw.randint(40, 60)}, app={"limit_concurrency": 150})
    return Stack("descriptors", made, streams=draw.randint(10, 30))


def _streams_for_descriptors(draw: Random) -> Stack:
    """HTTP/2 clients of an nginx without descriptors: 500."""
    settings: dict[str, Scalar] = {"worker_rlimit_nofile": draw.randint(90, 130), "limit_conn": 140}
    return Stack("descriptors", path("nginx", settings), streams=draw.randint(10, 30))


def _idle_yield(draw: Random) -> Stack:
    """Idle clients of nginx give way: it holds as many requests as without them."""
    made = path("nginx", {"worker_connections": 120, "limit_conn": 80})
    return Stack("worker_connections", made, idle=draw.randint(20, 60))


def _idle_hold_haproxy(draw: Random) -> Stack:
    """Idle clients of HAProxy keep their places."""
    made = path("haproxy", {"maxconn": 120, "server_maxconn": 110})
    return Stack("maxconn", made, idle=draw.randint(30, 60))


def _idle_hold_descriptors(draw: Random) -> Stack:
    """Idle clients of nginx do not give way for descriptors."""
    made = path("nginx", {"worker_connections": 400, "worker_rlimit_nofile": 150})
    return Stack("descriptors", made, idle=draw.randint(20, 50))


KINDS: dict[str, tuple[Callable[[Random], Stack], ...]] = {
    "worker_connections": (
        *(_even_connections, _odd_connections, _hashed_connections, _raced_connections),
    ),
    "descriptors": (_even_descriptors, _odd_descriptors, _haproxy_descriptors),
    "backlog": (
        *(_unix_backlog, _tcp_backlog, _haproxy_unix_backlog, _haproxy_tcp_backlog),
        _front_backlog,
    ),
    "ports": (_nginx_ports, _haproxy_ports, _ports_of_two),
    "caps": (
        *(_global_maxconn, _frontend_maxconn, _maxconn_each, _server_queue, _server_refuses),
        *(_max_conns_shared, _max_conns_each),
    ),
    "workers": (_one_worker_cap, _two_worker_caps, _two_caps_behind_nginx),
    "streams": (_streams_to_nginx, _streams_to_haproxy, _streams_for_descriptors),
    "idle": (_idle_yield, _idle_hold_haproxy, _idle_hold_descriptors),
}
STACKS = {make.__name__.strip("_"): make for kind in KINDS.values() for make in kind}
