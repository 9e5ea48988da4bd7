"""The service that the shop asks: slow on purpose, so that requests stay in flight.

Decides how long each record takes (a seeded lognormal draw) and what it says; one process per
port. Knows nothing of the shop, and keeps next to nothing per held connection.

    python upstream.py --ports 9001,9002 --mean 20 --sigma 0.25 --seed 7
"""

from __future__ import annotations

import argparse
import asyncio
import ctypes
import gc
import heapq
import json
import math
import os
import random
import re
import resource
import signal
import socket
import sys
import traceback
from collections.abc import Callable
from typing import cast

BACKLOG = 4096
HEAD_MAX_BYTES = 8192
NAP_S = 0.005  # answers leave at most this late, and so together: fewer, fuller wake-ups
PR_SET_PDEATHSIG = 1
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)

REQUEST = re.compile(rb"GET (/[!-~]*) HTTP/1\.1\r\n")
RECORD = re.compile(rb"/(products|suppliers)/([0-9]{1,18})")
CLOSE = re.compile(rb"\r\nconnection:[ \t]*close[ \t]*\r\n", re.IGNORECASE)


def lognormal(mean_s: float, sigma: float, rng: random.Random) -> Callable[[], float]:
    """A sampler of seconds with this mean; the logarithm's standard deviation is `sigma`.

    exp(mu + sigma^2 / 2) is a lognormal's mean, hence mu = ln(mean) - sigma^2 / 2.
    """
    mu = math.log(mean_s) - sigma * sigma / 2
    return lambda: rng.lognormvariate(mu, sigma)


def record(kind: bytes, number: int) -> dict[str, object]:
    """What the service knows of a product or a supplier: the same at every call."""
    if kind == b"products":
        price_cents = 100 + number * 7919 % 99_900
        return {"id": number, "name": f"Product {number}", "price_cents": price_cents}
    return {"id": number, "name": f"Supplier {number}", "stock": number * 104_729 % 1000}


ENCODE = json.JSONEncoder(separators=(",", ":")).encode


def answer(body: object, status: str = "200 OK", close: bool = False) -> bytes:
    """One whole HTTP/1.1 response with a JSON body."""
    text = ENCODE(body).encode()
    connection = "connection: close\r\n" if close else ""
    head = f"HTTP/1.1 {status}\r\ncontent-type: application/json\r\n{connection}"
    return f"{head}content-length: {len(text)}\r\n\r\n".encode() + text


class Desk:
    """Everything that one process holds: a heap of answers by when they are due, one timer."""

    def __init__(self, loop: asyncio.AbstractEventLoop, draw: Callable[[], float]) -> None:
        self.loop = loop
        self.draw = draw
        self.calls = {b"products": 0, b"suppliers": 0}
        self.connections: set[Clerk] = set()
        self.held = 0
        self.most_held = 0
        self._due: list[tuple[float, int, Clerk]] = []
        self._timer: asyncio.TimerHandle | None = None
        self._wake_s = math.inf  # uvloop's handle of a timer that is due cannot say when it was

    def hold(self, clerk: Clerk, kind: bytes) -> None:
        """Answer this clerk's record after a drawn time."""
        self.calls[kind] += 1
        self.held += 1
        self.most_held = max(self.most_held, self.held)
        due_s = self.loop.time() + self.draw()
        heapq.heappush(self._due, (due_s, id(clerk), clerk))
        if self._timer is None or due_s + NAP_S < self._wake_s:
            self._wake_at(due_s + NAP_S)

    def counts(self) -> dict[str, int]:
        """Calls of each kind since the start, held now, the most ever held, open connections."""
        return {
            "products": self.calls[b"products"],
            "suppliers": self.calls[b"suppliers"],
            "held": self.held,
            "most_held": self.most_held,
            "connections": len(self.connections),
        }

    def _wake_at(self, when_s: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self.loop.call_at(when_s, self._release)
        self._wake_s = when_s

    def _release(self) -> None:
        self._timer = None
        now_s = self.loop.time()
        while self._due and self._due[0][0] <= now_s:
            heapq.heappop(self._due)[2].release()
        if self._due:
            self._wake_at(self._due[0][0] + NAP_S)


class Clerk(asyncio.Protocol):
    """One keep-alive connection; at most one request at a time (no pipelining)."""

    __slots__ = ("asked", "close_after", "desk", "tail", "transport")

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.transport: asyncio.Transport | None = None
        self.tail = b""
        self.asked: tuple[bytes, int] | None = None
        self.close_after = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's own is no subclass
        self.desk.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = None
        self.desk.connections.discard(self)
        self.desk.held -= self.asked is not None
        self.asked = None

    def data_received(self, data: bytes) -> None:
        head = self.tail + data if self.tail else data
        end = head.find(b"\r\n\r\n")
        if end < 0 and len(head) <= HEAD_MAX_BYTES and self.asked is None:
            self.tail = head
            return
        self.tail = b""
        request = REQUEST.match(head)
        if request is None or end != len(head) - 4 or self.asked is not None:
            self._bad_request()
            return
        self.close_after = CLOSE.search(head) is not None
        self._route(request[1])

    def release(self) -> None:
        """Send the record that was asked for, unless the client has left."""
        if self.asked is None:
            return
        kind, number = self.asked
        self.asked = None
        self.desk.held -= 1
        self._send(record(kind, number))

    def _route(self, path: bytes) -> None:
        wanted = RECORD.fullmatch(path)
        if wanted is not None:
            kind = b"products" if wanted[1] == b"products" else b"suppliers"
            self.asked = (kind, int(wanted[2]))
            self.desk.hold(self, kind)
        elif path == b"/health":
            self._send({"ok": True})
        elif path == b"/count":
            self._send(self.desk.counts())
        else:
            self._send({"error": "no such record"}, "404 Not Found")

    def _send(self, body: object, status: str = "200 OK") -> None:
        assert self.transport is not None
        self.transport.write(answer(body, status, self.close_after))
        if self.close_after:
            self.transport.close()

    def _bad_request(self) -> None:
        if self.asked is not None:
            self.asked = None
            self.desk.held -= 1
        self.close_after = True
        self._send({"error": "malformed request"}, "400 Bad Request")


def die_with(parent_pid: int) -> None:
    """Ask the kernel to kill this process when its parent ends, however that ends."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    if os.getppid() != parent_pid:  # it ended before we asked
        os._exit(1)


def new_loop() -> asyncio.AbstractEventLoop:
    """uvloop's loop if it is installed; asyncio's own is slower and larger, and as correct."""
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()


async def serve(listener: socket.socket, draw: Callable[[], float], ready_fd: int) -> None:
    """Serve one port until SIGTERM or SIGINT; requests then held are dropped."""
    loop = asyncio.get_running_loop()
    desk = Desk(loop, draw)
    stop = asyncio.Event()
    for number in STOP_SIGNALS:
        loop.add_signal_handler(number, stop.set)
    server = await loop.create_server(lambda: Clerk(desk), sock=listener, backlog=BACKLOG)
    gc.freeze()
    os.write(ready_fd, b".")
    os.close(ready_fd)
    await stop.wait()
    server.close()
    for clerk in tuple(desk.connections):
        if clerk.transport is not None:
            clerk.transport.abort()


def run_child(
    index: int, listeners: list[socket.socket], ready_fd: int, options: argparse.Namespace
) -> int:
    """The life of one child process; returns its exit code."""
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    for other in listeners:
        if other is not listeners[index]:
            other.close()
    draw = lognormal(options.mean, options.sigma, random.Random(f"{options.seed}-{index}"))
    try:
        with asyncio.Runner(loop_factory=new_loop) as runner:
            runner.run(serve(listeners[index], draw, ready_fd))
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


def start_children(listeners: list[socket.socket], options: argparse.Namespace) -> list[int]:
    """Fork a child per listening socket and return their pids once all of them serve.

    Raises ChildProcessError when one of them ends first.
    """
    parent_pid = os.getpid()
    ready_fd, write_fd = os.pipe()
    pids = []
    for index in range(len(listeners)):
        pid = os.fork()
        if pid == 0:
            die_with(parent_pid)
            os.close(ready_fd)
            os._exit(run_child(index, listeners, write_fd, options))
        pids.append(pid)
    os.close(write_fd)
    for listener in listeners:
        listener.close()
    with open(ready_fd, "rb") as ready:
        served = ready.read(len(pids))
    if len(served) < len(pids):
        stop_children(pids)
        raise ChildProcessError("a child ended before it served")
    return pids


def stop_children(pids: list[int]) -> None:
    """Stop and reap every child."""
    for pid in pids:
        os.kill(pid, signal.SIGTERM)  # a child that has ended is ours until it is reaped
    for pid in pids:
        os.waitpid(pid, 0)


def wait_for_end(awaited: set[signal.Signals]) -> int:
    """Wait until told to stop (0) or until a child has ended (1), which stays to be reaped."""
    while True:
        if signal.sigwait(awaited) in STOP_SIGNALS:
            return 0
        # a child that is only paused or goes on is SIGCHLD, too
        if os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None:
            return 1


def bind(host: str, port: int) -> socket.socket:
    """A bound TCP socket; the child that serves it makes it listen."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((host, port))
    except OSError as error:
        sys.exit(f"upstream: cannot listen on {host}:{port}: {error.strerror}")
    return sock


def raise_nofile(wanted: int | None) -> None:
    """Raise the soft limit of open files to `wanted`, at most and by default to the hard one."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    soft = hard if wanted is None else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def positive(text: str) -> float:
    number = float(text)
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"{text} is not above 0")
    return number


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="upstream", description="A slow upstream service.")
    parser.add_argument("--ports", required=True, help="comma separated; one process each")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--mean", type=positive, default=20.0, help="mean latency, seconds")
    parser.add_argument("--sigma", type=float, default=0.25, help="spread of its logarithm")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--nofile", type=int, help="open files a process (default: hard limit)")
    return parser.parse_args()


def main() -> int:
    """Serve until SIGTERM or SIGINT (exit code 0) or until a child ends by itself (1)."""
    options = parse_arguments()
    raise_nofile(options.nofile)
    listeners = [bind(options.host, int(port)) for port in options.ports.split(",")]
    awaited = {*STOP_SIGNALS, signal.SIGCHLD}
    signal.pthread_sigmask(signal.SIG_BLOCK, awaited)
    pids = start_children(listeners, options)
    print("ready", flush=True)
    code = wait_for_end(awaited)
    stop_children(pids)
    return code


if __name__ == "__main__":
    sys.exit(main())
