"""The stacks of `tests/audited/stacks`: what each shows, how it is asked about, what it is to hold.

What is predicted of one comes from the audit of its files alone; nothing of it stands here but the
setting that a person who reads the files would name.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from tests.audited.audits import Said, said
from tests.audited.files import FOLDER, Written, written

MANY = 300
BURST = ("--target", "100", "--mean-time", "1")
"""What arrives is asked all at once: as many a second as there are requests, each of a second."""


class Stack(NamedTuple):
    """`stops` is the setting that stops it; `target` is what it must hold once it is mended.

    `options` are the audit's; `stopped` names who stands still, so that a queue is seen. Where
    requests come `apart`, each is somewhere before the next one comes.
    """

    shows: str
    stops: str
    target: int = MANY
    options: tuple[str, ...] = ()
    stopped: str = ""
    apart: bool = False


STACKS = {
    "nginx_gthread": Stack("an included site before gunicorn's threads", "threads"),
    "nginx_gevent": Stack("nginx's own file, gunicorn gevent by its command", "worker_connections"),
    "nginx_sync": Stack("a unit of sync workers on a unix socket", "workers"),
    "nginx_max_conns": Stack("three servers with `max_conns`, a Procfile", "max_conns"),
    "nginx_unix_backlog": Stack(
        "a unix socket with a short backlog", "backlog", 100, BURST, stopped="app"
    ),
    "nginx_procfile": Stack("one nginx worker, four uvicorns", "limit_concurrency"),
    "nginx_descriptors": Stack("nginx with few descriptors", "worker_rlimit_nofile"),
    "nginx_limit_conn": Stack("`limit_conn` and hypercorn", "limit_conn"),
    "haproxy_frontend": Stack("`maxconn` of a frontend's defaults", "frontend_maxconn"),
    "haproxy_server": Stack("`maxconn` of each server, which waits", "server_maxconn"),
    "haproxy_tcp": Stack("TCP mode with a global `maxconn`", "maxconn"),
    "haproxy_uvicorn": Stack("uvicorns on unix sockets, one by one", "limit_concurrency"),
    "unit_gunicorn_uvicorn": Stack("a class of workers that enforces nothing", "nofile"),
    "unit_uvicorn": Stack("two workers that race for descriptors", "nofile"),
    "nginx_granian": Stack("granian's `--backpressure` behind nginx", "backpressure"),
    "compose_gevent": Stack("a Compose service with `ulimits`", "nofile"),
    "compose_uvicorn": Stack("a Compose service behind nginx", "nofile"),
    "sysctl_somaxconn": Stack(
        "a small somaxconn cuts a backlog", "somaxconn", 100, BURST, stopped="app"
    ),
    "sysctl_ports": Stack("a narrow range of ports", "port_high"),
    "uvicorn_backlog": Stack("uvicorn's own short backlog", "backlog", 100, BURST, stopped="app"),
    # a thread that has just taken a request still counts as idle, so that of two that come at once
    # one may wait for the next to come (granian 2.8, blocking.rs: BlockingRunnerPool::run)
    "granian_wsgi": Stack("granian's threads under WSGI", "blocking_threads", apart=True),
    "nginx_itself": Stack("a site behind another site of one nginx", "worker_connections"),
    "nginx_shared": Stack("two gunicorns of two workers each", "threads"),
}


def files(name: str) -> list[str]:
    """The names of a stack's files."""
    found = (FOLDER / name).rglob("*")
    return sorted(file.name.removesuffix(".txt") for file in found if file.is_file())


@contextmanager
def audited(name: str, seed: int) -> Iterator[Said]:
    """A stack's files on the disk, and what the audit says of them."""
    with written(name, seed) as filled:
        yield asked(name, filled)


def asked(name: str, files: Written) -> Said:
    """What the audit says of a stack's files as they are now."""
    stack = STACKS[name]
    return said(files, *stack.options, stopped=stack.stopped)
