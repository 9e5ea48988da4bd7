"""Clients that are slow, or gone without a word: an edge frees their places and serves others."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from holdfast.model.front.body import Body
from holdfast.model.front.front import Front
from holdfast.sizing.layout import Program
from holdfast.stack.limits import raise_nofile
from holdfast.stack.process import StackProcess
from tests.edges import PROGRAMS
from tests.helpers import wait_until
from tests.stack.driving import BUSY, config, running, wait_for_in_flight
from tests.stack.edges import SLOTS, behind, edge_sockets
from tests.stack.namespaces import SERVER, cable, inside, needs_namespaces

pytestmark = [pytest.mark.slow, pytest.mark.parametrize("program", PROGRAMS)]

SLOW = 20
"""Slow clients at a time."""
KEPT = 2 * SLOTS
"""Idle connections to workers that clients who come one by one may leave."""
CUT_S = {"client_header_timeout_s": 1, "client_body_timeout_s": 1, "timeout_http_request_s": 1}
"""Each edge's patience, a second in place of 10 and 60."""
HEAD = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 30\r\n\r\n"
BODY = b"x" * 30


def started(stack: StackProcess) -> int:
    """Requests that have ever reached a worker."""
    return sum(row.started for row in stack.gauge.read())


def serves_others(port: int, address: str = "127.0.0.1") -> bool:
    """Whether clients that come one after the other, and are quick, are answered."""
    for _ in range(SLOW):
        with socket.create_connection((address, port), timeout=30) as client:
            client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            if not client.recv(65_536).startswith(b"HTTP/1.1 200 "):
                return False
    return True


class Slow:
    """A client that sends one byte each time that it is told to."""

    def __init__(self, port: int, data: bytes) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        self._data = data
        self.sent = 0
        self.came = b""
        self.is_cut = False

    def drip(self, pause_s: float) -> None:
        """Send a byte, and listen for so long; whatever ends the connection is its being cut."""
        self.socket.settimeout(pause_s)
        try:
            self.sent += self.socket.send(self._data[self.sent : self.sent + 1])
            self.listen()
        except TimeoutError:
            return
        except ConnectionError:
            self.is_cut = True

    def listen(self) -> None:
        """Take what comes, once."""
        more = self.socket.recv(65_536)
        self.came += more
        self.is_cut |= not more

    def finish(self) -> None:
        """Send the rest, if there is somebody left to have it, and wait for the answer."""
        self.socket.settimeout(30)
        if self.sent:
            with contextlib.suppress(ConnectionError):
                self.socket.sendall(self._data[self.sent :])
        with contextlib.suppress(ConnectionError):
            while not self.is_done:
                self.listen()

    @property
    def is_done(self) -> bool:
        """Whether it has an answer, or no connection any more."""
        return self.is_cut or b"\r\n\r\n" in self.came

    @property
    def status(self) -> int:
        """Of its answer; 0 without one."""
        return int(self.came.split()[1]) if self.came else 0


@contextlib.contextmanager
def slow(port: int, data: bytes) -> Iterator[list[Slow]]:
    """Slow clients that have sent nothing yet."""
    with contextlib.ExitStack() as undo:
        clients = [Slow(port, data) for _ in range(SLOW)]
        for client in clients:
            undo.callback(client.socket.close)
        yield clients


def drip_until(clients: list[Slow], most: int) -> None:
    """All of them send a byte in about a tenth of a second until each is done, or has sent most."""
    while waiting := [one for one in clients if not one.is_done and one.sent < most]:
        for client in waiting:
            client.drip(0.1 / len(waiting))


def test_a_head_of_a_byte_at_a_time_is_cut(program: Program) -> None:
    """Twenty such clients are cut, no worker hears of them, and others are served meanwhile."""
    with running(**behind(program, values=CUT_S)) as stack:
        before = edge_sockets(stack)
        with slow(stack.port, HEAD) as clients:
            drip_until(clients, 3)
            assert serves_others(stack.port)
            drip_until(clients, len(HEAD) - 1)
            assert all(client.is_done for client in clients)
            assert {client.status for client in clients} == {{"nginx": 0, "haproxy": 408}[program]}
        assert started(stack) == SLOW
        wait_until(lambda: edge_sockets(stack) <= before + KEPT)


def test_a_buffered_body_of_a_byte_at_a_time_takes_no_worker(program: Program) -> None:
    """A worker hears of a body when it is whole: nginx waits for it, HAProxy cuts it."""
    with running(**behind(program, values=CUT_S, front=Front())) as stack:
        with slow(stack.port, HEAD + BODY) as clients:
            for client in clients:
                client.socket.sendall(HEAD)
                client.sent = len(HEAD)
            drip_until(clients, len(HEAD + BODY) - 1)
            assert started(stack) == 0
            for client in clients:
                client.finish()
            assert {client.status for client in clients} == {
                {"nginx": 200, "haproxy": 408}[program]
            }
        assert started(stack) == {"nginx": SLOW, "haproxy": 0}[program]


@pytest.mark.parametrize("buffering", [True, False], ids=["buffered", "passed on"])
def test_a_body_that_stops_is_cut(program: Program, buffering: bool) -> None:
    """A client that stops in the middle leaves its place at the edge and in the app to others."""
    front = Front(body=Body(buffered=buffering))
    fields = behind(program, values=CUT_S, longest_s=0.5, front=front)
    with running(**fields) as stack, slow(stack.port, HEAD + BODY) as clients:
        for client in clients:
            client.socket.sendall(HEAD + b"x")
        if not buffering:
            wait_until(lambda: started(stack) == SLOW)
        for client in clients:
            client.finish()
        wait_for_in_flight(stack, 0)
        assert started(stack) == (0 if buffering else SLOW)
        assert serves_others(stack.port)


def never_answered(address: str, port: int) -> socket.socket:
    """A client whose request stays in flight until it leaves."""
    client = socket.create_connection((address, port), timeout=30)
    client.sendall(b"GET /never HTTP/1.1\r\nHost: x\r\n\r\n")
    return client


def test_clients_that_hang_up_leave_their_places(program: Program, tmp_path: Path) -> None:
    """Of 2,000 that close their connections in flight nothing is left, at the edge or the app."""
    fields = {**behind(program), "env": {"WITNESS": str(tmp_path / "notes")}}
    with running("faulty:app", **fields) as stack:
        before = edge_sockets(stack)
        with contextlib.ExitStack() as undo:
            for _ in range(BUSY):
                undo.enter_context(never_answered("127.0.0.1", stack.port))
            wait_for_in_flight(stack, BUSY)
        wait_for_in_flight(stack, 0)
        wait_until(lambda: edge_sockets(stack) <= before + KEPT)
        assert serves_others(stack.port)


@needs_namespaces
def test_clients_that_vanish_leave_their_places(program: Program, tmp_path: Path) -> None:
    """Of 2,000 whose cable is pulled in flight nothing is left, at the edge or in the app.

    The edge asks after 1 s of silence and twice more: 3 s. Its other patience is 60 s or more, and
    the test's is 30.
    """
    asked = {"keepalive_idle_s": 1, "keepalive_every_s": 1, "keepalive_probes": 2}
    fields = {**behind(program, values=asked), "env": {"WITNESS": str(tmp_path / "notes")}}
    raise_nofile(2 * BUSY + 200)
    with cable() as wire, StackProcess(config("faulty:app", address=SERVER, **fields)) as stack:
        with inside(wire.server):
            stack.start()
        stack.wait_until_ready(60)
        before = edge_sockets(stack)
        with contextlib.ExitStack() as undo, inside(wire.clients):
            for _ in range(BUSY):
                undo.enter_context(never_answered(SERVER, stack.port))
            wait_for_in_flight(stack, BUSY)
            assert edge_sockets(stack) >= 2 * BUSY
            wire.pull()
            with inside(wire.server):
                assert serves_others(stack.port, SERVER)
            wait_for_in_flight(stack, 0)
            wait_until(lambda: edge_sockets(stack) <= before + KEPT)
            with inside(wire.server):
                assert serves_others(stack.port, SERVER)
