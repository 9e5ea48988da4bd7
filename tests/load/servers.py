"""What the generator is tried on: uvicorn as a process, and raw sockets that answer as told."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Self

import msgspec

from holdfast.load.counts import FleetSample, FleetTotals
from holdfast.load.fleet import Fleet
from holdfast.load.plan import LoadPlan
from tests.helpers import free_port, wait_until

NONCE = b"x-holdfast-nonce: "
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
HELD, IDLE = 200, 10
"""Requests that are held, and idle clients beside them."""


def load_plan(port: int, **changes: object) -> LoadPlan:
    """Return a small plan for a server on 127.0.0.1."""
    usual = {"address": "127.0.0.1", "port": port, "host": "here", "path": "/"}
    return msgspec.convert(usual | changes, LoadPlan)


def drive(
    plan: LoadPlan, until: Callable[[FleetSample], object], grace_s: float = 30.0
) -> FleetTotals:
    """Load with everything that the plan allows until a sample is as wanted, and add up."""
    with Fleet(plan) as fleet:
        fleet.start()
        fleet.allow(plan.clients, plan.idle)
        wait_until(lambda: until(fleet.read()), what=f"{until}")
        totals = fleet.let_go(grace_s)
    check_accounts(totals)
    return totals


def check_accounts(totals: FleetTotals) -> None:
    """Hold law 7, and that each answered request was timed, once for each kind of time."""
    assert totals.intended == totals.sent + totals.unsent
    assert totals.sent == totals.answered + totals.refused + totals.failed + totals.unfinished
    named = {name: n for name, n in totals.errors.items() if not name.startswith("idle ")}
    assert totals.failed == sum(named.values())
    assert totals.response.count == totals.service.count == totals.answered
    assert (totals.first_error is None) == (not totals.errors)


class Connection:
    """One accepted connection, as an answering function sees it."""

    def __init__(self, sock: socket.socket, server: RawServer) -> None:
        self.socket, self.server = sock, server
        self._held = b""

    def request(self) -> bytes:
        """Return the next request's head, or nothing when the client closed."""
        while b"\r\n\r\n" not in self._held:
            data = self.socket.recv(65_536)
            if not data:
                return b""
            self._held += data
        head, _, self._held = self._held.partition(b"\r\n\r\n")
        with self.server.lock:
            self.server.requests += 1
        return head + b"\r\n"

    def send(self, *pieces: bytes) -> None:
        """Send pieces, each in a packet of its own."""
        for piece in pieces:
            self.socket.sendall(piece)

    def send_and_close(self, data: bytes) -> None:
        """Send data with the connection's end in the same packet."""
        self.socket.send(data, socket.MSG_MORE)
        self.socket.shutdown(socket.SHUT_WR)


def nonce_in(request: bytes) -> bytes:
    """Return the nonce that a request carries."""
    return request.partition(NONCE)[2].partition(b"\r\n")[0]


class RawServer:
    """Serves each connection in a thread of its own with one function, while it is entered."""

    def __init__(self, serve: Callable[[Connection], object], port: int = 0) -> None:
        self._serve = serve
        self.lock = threading.Lock()
        self.requests = self.accepted = 0
        self.port = port or free_port()
        self._listener = socket.create_server(("127.0.0.1", self.port), backlog=128)
        self._open: set[socket.socket] = set()
        self._threads = [threading.Thread(target=self._accept)]

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._threads[0].join()
        self._listener.close()
        with self.lock:
            for sock in self._open:
                sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads[1:]:
            thread.join()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self.lock:
                self.accepted += 1
                self._open.add(sock)
            self._threads.append(threading.Thread(target=self._run, args=(sock,)))
            self._threads[-1].start()

    def _run(self, sock: socket.socket) -> None:
        try:
            self._serve(Connection(sock, self))
        except OSError:
            pass  # the client closed first
        finally:
            with self.lock:
                self._open.discard(sock)
                sock.close()


class Uvicorn:
    """Uvicorn with the counting app, as one process."""

    def __init__(self) -> None:
        self.port = free_port()
        command = f"{sys.executable} -m uvicorn apps:app --port {self.port} --no-access-log"
        self._process = subprocess.Popen(
            [*command.split(), "--log-level", "error", "--backlog", "4096"],
            cwd=Path(__file__).parent,
            stdin=subprocess.DEVNULL,
        )

    def __enter__(self) -> Self:
        wait_until(self._answers)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()

    def _answers(self) -> bool:
        assert self._process.poll() is None, "uvicorn did not start"
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def get(self, path: str) -> bytes:
        """Return the body of an answer to a request of the test's own."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=30) as answer:
            body: bytes = answer.read()
        return body

    def state(self) -> tuple[int, int, int]:
        """Return what the app counted: started, finished, and requests of idle clients."""
        started, finished, idle = json.loads(self.get("/state"))
        return started, finished, idle


def holds_all(app: Uvicorn, port: int, sockets: int, **changes: object) -> None:
    """Assert that the app has HELD in flight behind an edge, over so many sockets, and frees all.

    IDLE clients come beside them.
    """
    before, _, idle = app.state()
    usual = {"path": "/wait", "clients": HELD, "idle": IDLE, "idle_path": "/idle"}
    plan = load_plan(port, nonce="require", **usual, **changes)
    with Fleet(plan) as fleet:
        fleet.start()
        fleet.allow(HELD, IDLE)
        wait_until(lambda: fleet.read().in_flight == HELD and fleet.read().idle == IDLE)
        wait_until(lambda: app.state()[0] - before == HELD)
        sample = fleet.read()
        assert (sample.sockets, sample.failed) == (sockets, 0)
        totals = fleet.let_go(0.0)
    check_accounts(totals)
    assert (totals.unfinished, totals.failed) == (HELD, 0)
    assert app.state()[2] - idle == IDLE
