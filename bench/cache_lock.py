"""Counts the requests that reach the app where 10,000 clients want one kept answer at once.

    scripts/bench cache_lock

Two ways to want it: it is not there, or it has grown old; each with `lock` and `stale`, without
both, and with the lock alone. The app answers only when all clients are at the edge. Measures too
how long after the app's answer each client has its own. Writes bench/results/cache-lock.json.
"""

from __future__ import annotations

import contextlib
import select
import socket
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
from _rig import save
from tests.edges import demand, host
from tests.helpers import wait_until
from tests.stack.asked import ask, started
from tests.stack.driving import APPS
from tests.stack.edges import edge_sockets

from holdfast.model.front.cache import Cache
from holdfast.model.front.front import Front
from holdfast.sizing.edge import size_edge
from holdfast.sizing.layout import EdgeLayout
from holdfast.stack.config import EdgeConfig, StackConfig
from holdfast.stack.edge_process import PROGRAMS, installed_version
from holdfast.stack.limits import raise_nofile
from holdfast.stack.process import StackProcess

CLIENTS = 10_000
FILES = 19_000
FEWER = 2_000
"""Clients of the ways in which all of them reach the app, which is not what is measured here."""
WAYS: dict[str, tuple[int, dict[str, bool]]] = {
    "lock and stale": (CLIENTS, {}),
    "neither": (FEWER, {"lock": False, "stale": False}),
    "lock alone": (FEWER, {"stale": False}),
}
UNKEPT = 20
IDLE = 50
"""More sockets than an edge has for itself: those of the last clients are closed below it."""
CEILING_S = 60.0


@contextlib.contextmanager
def stack_of(cache: Cache) -> Iterator[tuple[StackProcess, Path]]:
    """nginx sized for all clients before one worker, and the folder that controls the app."""
    with tempfile.TemporaryDirectory(prefix="holdfast-") as folder:
        front = Front(cache=cache)
        layout = EdgeLayout("nginx", installed_version(PROGRAMS["nginx"]), front=front)
        hop = size_edge(demand(CLIENTS + 500), host(somaxconn=65_535), layout, 1)
        config = StackConfig(
            app="content:app",
            app_dir=str(APPS),
            slots=1,
            nofile=FILES,
            listen="slots",
            edge=EdgeConfig(hop, front=front),
            env={"CONTROL": folder},
        )
        with StackProcess(config) as stack:
            stack.start()
            stack.wait_until_ready(60)
            yield stack, Path(folder)


def crowd(stack: StackProcess, path: str, count: int) -> list[socket.socket]:
    """So many clients, all of whose requests are at the edge."""
    request = f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
    wait_until(lambda: edge_sockets(stack) < IDLE, CEILING_S)
    clients = []
    for _ in range(count):
        client = socket.create_connection(("127.0.0.1", stack.port), timeout=CEILING_S)
        client.sendall(request)
        clients.append(client)
    wait_until(lambda: edge_sockets(stack) >= count, CEILING_S)
    time.sleep(1.0)  # each is accepted; what it asks is read within it
    return clients


def answered(clients: list[socket.socket], since_s: float) -> dict[str, float]:
    """How many were answered with 200, and how long after `since_s` they had it."""
    waiting = {client.fileno(): client for client in clients}
    poll, times, good = select.epoll(), [], 0
    for fd in waiting:
        poll.register(fd, select.EPOLLIN)
    while waiting and time.monotonic() < since_s + CEILING_S:
        for fd, _ in poll.poll(1.0):
            client = waiting.pop(fd)
            good += client.recv(65_536).startswith(b"HTTP/1.1 200 ")
            times.append(time.monotonic() - since_s)
            client.close()
    times.sort()
    at = {"p50": times[len(times) // 2], "p99": times[len(times) * 99 // 100], "last": times[-1]}
    return {"ok": good, **{name: round(value, 3) for name, value in at.items()}}


def not_there(stack: StackProcess, control: Path, count: int) -> dict[str, float]:
    """All want what nobody has asked for."""
    before = started(stack)
    clients = crowd(stack, "/kept/new?gate=new", count)
    reached = settled(stack) - before
    since_s = time.monotonic()
    (control / "new").touch()
    return {"reached": reached, **answered(clients, since_s)}


def old(stack: StackProcess, control: Path, count: int) -> dict[str, float]:
    """All want what has grown old; with `stale` they are answered while the app still waits."""
    path, gate = "/kept/old?gate=old&h=cache-control:max-age=1", control / "old"
    gate.touch()
    kept_s = time.monotonic()
    ask(stack.port, path)
    gate.unlink()
    wait_until(lambda: time.monotonic() > kept_s + 2.5)
    before = started(stack)
    clients = crowd(stack, path, count)
    reached = settled(stack) - before
    early, since_s = len(readable(clients)), time.monotonic()
    gate.touch()
    told = answered(clients, since_s)
    if early == count:  # nobody waited for the app
        told = {"ok": told["ok"]}
    return {"reached": reached, "before the app answered": early, **told}


def unkept(stack: StackProcess, control: Path) -> dict[str, float]:
    """A few want what turns out to be for one alone: the app answers each of them."""
    before = started(stack)
    clients = crowd(stack, "/kept/own?gate=own&h=set-cookie:a=b", UNKEPT)
    since_s = time.monotonic()
    (control / "own").touch()
    told = answered(clients, since_s)
    return {"clients": UNKEPT, "reached": started(stack) - before, **told}


def readable(clients: list[socket.socket]) -> list[int]:
    """Those that have an answer to read."""
    poll = select.poll()
    for client in clients:
        poll.register(client, select.POLLIN)
    return [fd for fd, _ in poll.poll(0)]


def settled(stack: StackProcess) -> int:
    """Requests that have reached the app, once none has come for a second."""
    count, since_s = started(stack), time.monotonic()
    while time.monotonic() < since_s + 1.0:
        time.sleep(0.05)
        if (now := started(stack)) != count:
            count, since_s = now, time.monotonic()
    return count


def main() -> None:
    """Each way in a stack of its own; the figures are printed and kept."""
    raise_nofile(FILES)
    found: dict[str, Any] = {}
    for name, (count, told) in WAYS.items():
        cache = msgspec.structs.replace(Cache(("/kept/",), fresh=3600.0, status=True), **told)
        with stack_of(cache) as (stack, control):
            found[name] = {"clients": count, "not there": not_there(stack, control, count)}
            found[name]["old"] = old(stack, control, count)
            if not told:
                found[name]["for one alone"] = unkept(stack, control)
        print(name, found[name])
    save("cache-lock", found)


if __name__ == "__main__":
    main()
