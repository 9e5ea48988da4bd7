"""Clients that cannot get in, idle ones, and broken connections: counted, and wanted again."""

from __future__ import annotations

import os
import select
import socket
import subprocess
import sys

import pytest

from holdfast.load import shared
from holdfast.load.clients import Clients
from holdfast.load.connection import connect, is_untaken
from holdfast.load.fleet import Fleet
from holdfast.load.shared import Board
from tests.helpers import free_port, wait_until
from tests.load.servers import OK, Connection, RawServer, check_accounts, drive, load_plan

SOURCE = "127.100.0.1"
FEW_DESCRIPTORS = """
import resource, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))
from tests.load.servers import drive, load_plan
totals = drive(load_plan(int(sys.argv[1]), clients=60), lambda s: s.failed >= 20, grace_s=0)
print(set(totals.errors), totals.answered > 0)
"""


def answering(connection: Connection) -> None:
    while connection.request():
        connection.send(OK)


@pytest.mark.slow
def test_clients_that_are_refused_come_back_when_the_server_does() -> None:
    """Where nobody listens each attempt is a failure; a server that comes up has its clients."""
    with RawServer(answering) as server:
        port = server.port
    with Fleet(load_plan(port, clients=4)) as fleet:
        fleet.start()
        fleet.allow(4, 0)
        wait_until(lambda: fleet.read().failed >= 8)
        server = RawServer(answering, port=port)
        with server:
            wait_until(lambda: fleet.read().in_flight == 4 and fleet.read().answered > 100)
            totals = fleet.let_go(30.0)
    check_accounts(totals)
    assert set(totals.errors) == {"refused"}
    assert server.requests == totals.answered


@pytest.mark.slow
def test_clients_that_nobody_accepts_are_unsent() -> None:
    """A full accept queue leaves the others opening; let go, their requests count as unsent."""
    with socket.create_server(("127.0.0.1", free_port()), backlog=1) as listener:
        plan = load_plan(listener.getsockname()[1], clients=8)
        totals = drive(plan, lambda s: s.in_flight and s.opening + s.in_flight == 8, grace_s=0)
    assert totals.failed == totals.answered == 0
    assert totals.unsent > 0 < totals.unfinished
    assert totals.unsent + totals.unfinished == 8


@pytest.mark.slow
def test_a_connect_that_nobody_answers_is_given_up() -> None:
    """After the connect timeout a client that did not get in is a failure."""
    with socket.create_server(("127.0.0.1", free_port()), backlog=1) as listener:
        plan = load_plan(listener.getsockname()[1], clients=8, connect_timeout_s=0.1)
        totals = drive(plan, lambda sample: sample.failed > 0, grace_s=0)
    assert set(totals.errors) == {"connect timeout"}


@pytest.mark.slow
def test_a_process_without_descriptors_says_so() -> None:
    """Clients for which no descriptor is left are failures named EMFILE; the others go on."""
    with RawServer(answering) as server:
        command = [sys.executable, "-c", FEW_DESCRIPTORS, str(server.port)]
        env = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        output = subprocess.check_output(command, env=env, text=True, timeout=60)
    assert output == "{'EMFILE'} True\n"


@pytest.mark.slow
def test_idle_clients_ask_once_and_stay() -> None:
    """An idle client sends one request, takes any status, and stays open and silent."""

    def serve(connection: Connection) -> None:
        while connection.request():
            connection.send(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")

    with RawServer(serve) as server:
        plan = load_plan(server.port, idle=20)
        totals = drive(plan, lambda sample: sample.idle == 20)
        assert (server.accepted, server.requests) == (20, 20)
    assert (totals.sent, totals.idle_closed, totals.errors) == (0, 0, {})


@pytest.mark.slow
def test_idle_clients_are_told_from_occupied_ones() -> None:
    """Beside occupied clients that get the same answers, an idle one still asks only once."""
    with RawServer(answering) as server, Fleet(load_plan(server.port, clients=2, idle=20)) as fleet:
        fleet.start()
        fleet.allow(2, 0)
        wait_until(lambda: fleet.read().answered > 100)
        fleet.allow(2, 20)
        wait_until(lambda: fleet.read().idle == 20)
        totals = fleet.let_go(30.0)
    check_accounts(totals)
    assert (totals.failed, totals.errors) == (0, {})
    assert server.requests == totals.answered + 20


@pytest.mark.slow
def test_idle_clients_that_are_closed_come_back() -> None:
    """A server that closes idle clients has that counted, and has them back."""

    def serve(connection: Connection) -> None:
        if connection.request():
            connection.send(OK)

    with RawServer(serve) as server:
        totals = drive(load_plan(server.port, idle=5), lambda sample: sample.idle_closed >= 15)
        assert server.accepted >= 15
    assert (totals.sent, totals.errors) == (0, {})


@pytest.mark.slow
def test_idle_clients_that_fail_are_named_apart() -> None:
    """An idle client's failure is no request's: it has a name of its own."""
    with RawServer(lambda connection: connection.send(b"hello")) as server:
        plan = load_plan(server.port, idle=2)
        totals = drive(plan, lambda sample: sample.errors.get("idle garbage", 0) >= 4)
    assert totals.failed == 0
    assert str(totals.first_error).startswith("idle client: garbage: ")


def test_a_request_that_crossed_the_end_goes_once_more() -> None:
    """A request that met a connection already closed goes again on a new one, and is no failure."""
    with socket.create_server(("127.0.0.1", free_port())) as listener, select.epoll() as poller:
        board = Board(shared.create(1), 0)
        clients = Clients(load_plan(listener.getsockname()[1]), 0, board, poller)
        clients.open_new(False, 1)
        for _ in range(2):
            server, _ = listener.accept()
            clients.happened(*poller.poll(30)[0], 2)
            assert server.recv(1000).startswith(b"GET / ")
            server.sendall(OK)
            events = poller.poll(30)
            server.close()
            clients.happened(*events[0], 3)  # reads the answer, and writes to what is closed
            clients.happened(*poller.poll(30)[0], 4)
            assert (len(clients.connecting), clients.connected, clients.in_flight) == (1, 0, 0)
        clients.stop(5)
    assert (clients.intended, clients.sent, clients.unsent) == (3, 2, 1)
    assert (clients.answered, clients.failed) == (2, 0)


@pytest.mark.parametrize(
    ("reads", "sends_late", "untaken"),
    [
        pytest.param(False, True, True, id="sent after the server had closed"),
        pytest.param(False, False, False, id="in the server's kernel, and not read"),
        pytest.param(True, False, False, id="read by the server"),
    ],
)
def test_a_request_is_untaken_only_if_no_kernel_acknowledged_it(
    reads: bool, sends_late: bool, untaken: bool
) -> None:
    """Only bytes that the server's kernel never took may be sent once more."""
    with socket.create_server(("127.0.0.1", free_port())) as listener:
        fd = connect(SOURCE, listener.getsockname())
        server, _ = listener.accept()
        os.write(fd, b"first")
        assert server.recv(100) == b"first"
        if not sends_late:
            os.write(fd, b"r")
        if reads:
            assert server.recv(100) == b"r"
        server.close()
        poller = select.epoll()
        poller.register(fd, select.EPOLLRDHUP)
        assert poller.poll(30)
        if sends_late:
            os.write(fd, b"r")
        assert is_untaken(fd) == untaken
        poller.close()
        os.close(fd)
