"""The kernel's witness against real sockets: it counts them exactly, and only those of its port."""

from __future__ import annotations

import os
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from holdfast.load.plan import IDLE_OCTET, OCCUPIED_OCTET
from holdfast.model.errors import HoldfastError
from holdfast.observe.diag import without_end
from holdfast.proof.kernel import (
    Established,
    PortWitness,
    count_messages,
    moved,
    read_counters,
)
from tests.helpers import free_port, wait_until

OCCUPIED, IDLE = f"127.{OCCUPIED_OCTET}.0.1", f"127.{IDLE_OCTET}.0.1"


class Listener:
    """A listening socket, its clients, and the ends that it accepted."""

    def __init__(self, cleanup: ExitStack, address: str = "127.0.0.1", backlog: int = 512) -> None:
        self._cleanup = cleanup
        self.address = address
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self.socket = cleanup.enter_context(socket.socket(family))
        if family == socket.AF_INET6:
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        self.port = free_port()
        self.socket.bind((address, self.port))
        self.socket.listen(backlog)
        self.witness = PortWitness(self.port)
        cleanup.callback(self.witness.close)

    def connect(self, count: int, source: str, to: str = "127.0.0.1") -> list[socket.socket]:
        family = socket.AF_INET6 if ":" in source else socket.AF_INET
        clients = [self._cleanup.enter_context(socket.socket(family)) for _ in range(count)]
        for client in clients:
            client.bind((source, 0))
            client.connect((to, self.port))
        return clients

    def accept(self, count: int) -> list[socket.socket]:
        return [self._cleanup.enter_context(self.socket.accept()[0]) for _ in range(count)]


@pytest.fixture
def cleanup() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def test_counts_occupied_and_idle_connections_exactly(cleanup: ExitStack) -> None:
    """Server ends are counted once each, by the second octet of their peer."""
    server = Listener(cleanup)
    assert server.witness.established() == Established(0, 0)
    server.connect(130, OCCUPIED)
    server.connect(13, IDLE)
    server.connect(1, "127.0.0.1")
    server.accept(60)  # whether it was accepted makes no odds to the kernel
    assert server.witness.established() == Established(131, 13)


def test_falls_when_half_of_the_clients_close(cleanup: ExitStack) -> None:
    """A connection that its client closed is counted no more, though the server still has it."""
    server = Listener(cleanup)
    clients = server.connect(100, OCCUPIED)
    server.accept(100)
    for client in clients[::2]:
        client.close()
    wait_until(lambda: server.witness.established() == Established(50, 0))


def test_other_ports_are_not_counted(cleanup: ExitStack) -> None:
    """Another server's connections, and the clients' own ends, are not counted."""
    server, other = Listener(cleanup), Listener(cleanup)
    other.connect(20, OCCUPIED)
    server.connect(3, OCCUPIED)
    assert server.witness.established() == Established(3, 0)
    assert other.witness.established() == Established(20, 0)


def test_counts_clients_of_a_dual_stack_socket(cleanup: ExitStack) -> None:
    """IPv4 clients of an IPv6 socket are told apart as ever, IPv6 ones count as occupied."""
    server = Listener(cleanup, address="::")
    server.connect(7, OCCUPIED)
    server.connect(5, IDLE)
    server.connect(2, "::1", to="::1")
    assert server.witness.established() == Established(9, 5)


@pytest.mark.parametrize("address", ["127.0.0.1", "::"])
def test_counts_the_same_once_it_knows_who_listens(cleanup: ExitStack, address: str) -> None:
    """Having seen which families listen changes no count, also of one that listens for both."""
    listener = Listener(cleanup, address)
    listener.connect(3, OCCUPIED)
    listener.connect(2, IDLE)
    listener.accept(5)
    before = listener.witness.established()
    assert listener.witness.queue().sockets == 1
    assert listener.witness.established() == before == Established(3, 2)


def test_reads_the_accept_queues_of_all_listening_sockets(cleanup: ExitStack) -> None:
    """What nobody has accepted yet is queued, and the room is what the kernel granted."""
    server = Listener(cleanup, backlog=40)
    server.connect(25, OCCUPIED)
    queue = server.witness.queue()
    assert (queue.queued, queue.backlog, queue.sockets) == (25, 40, 1)
    assert (queue.fullest, queue.most) == (25 / 40, 25)
    server.accept(20)
    assert server.witness.queue().queued == 5
    server.socket.close()
    assert server.witness.queue().sockets == 0


def test_works_without_privilege(cleanup: ExitStack) -> None:
    """A user who owns none of the sockets counts the same."""
    server = Listener(cleanup)
    server.connect(12, OCCUPIED)
    pid = os.fork()
    if pid == 0:
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)
        witness = PortWitness(server.port)
        good = witness.established() == Established(12, 0) and witness.queue().queued == 12
        os._exit(0 if good else 1)
    assert os.waitpid(pid, 0)[1] == 0


def test_a_refused_question_is_an_error_with_a_hint() -> None:
    """Where the sandbox has no netlink, the error says what to allow."""
    code = (
        "import resource, holdfast.proof.kernel as k\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))\n"
        "try: k.PortWitness(1)\n"
        "except k.HoldfastError as e: assert e.hint and 'inet_diag' in e.place\n"
        "else: raise AssertionError\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=30)


def message(peer: int, size: int = 108, kind: int = 20) -> bytes:
    """One message whose record has `peer` as its 26th byte."""
    return struct.pack("=IHHII", size, kind, 2, 1, 0) + bytes(25) + bytes([peer]) + bytes(size - 42)


@pytest.mark.parametrize("sizes", [(108,), (100, 108), (108, 88, 300), (100, 88, 112)])
def test_messages_are_counted_whatever_their_sizes(sizes: tuple[int, ...]) -> None:
    """Messages of one size and messages of several are counted alike."""
    data = b"".join(message(200 if n % 5 == 0 else 100, sizes[n % len(sizes)]) for n in range(60))
    assert count_messages(data, 25, 200) == (60, 12)


def test_the_end_of_a_dump_is_no_socket() -> None:
    """Where the kernel puts the end behind the last sockets, only the sockets are left."""
    sockets, end = message(100) * 3, struct.pack("=IHHIIi", 20, 3, 2, 7, 0, 0)
    assert without_end(sockets + end, sequence=7) == (sockets, True)
    assert without_end(sockets + end, sequence=8) == (sockets + end, False)
    assert without_end(sockets, sequence=7) == (sockets, False)


def test_counters_that_moved_are_differences() -> None:
    """Counters only grow; what stood still is left out, what is new counts from zero."""
    assert moved({"a": 1, "b": 5}, {"a": 4, "b": 5, "c": 2}) == {"a": 3, "c": 2}


def test_a_full_accept_queue_moves_the_kernels_counter(cleanup: ExitStack) -> None:
    """Connects beyond the backlog are counted by the kernel as overflows."""
    server = Listener(cleanup, backlog=4)
    before = read_counters()
    for _ in range(12):
        client = cleanup.enter_context(socket.socket())
        client.setblocking(False)
        client.connect_ex(("127.0.0.1", server.port))
    wait_until(lambda: moved(before, read_counters()).get("ListenOverflows", 0) > 0)
    assert {"TCPTimeouts", "softnet_drops", "oom_kill"} <= before.keys()


def test_a_kernel_that_answers_with_an_error_is_refused(cleanup: ExitStack) -> None:
    """An error message from the kernel becomes the same error, not a count of nothing."""
    server = Listener(cleanup)
    with pytest.raises(HoldfastError, match="does not say which sockets are open"):
        list(server.witness._dump(250, 1 << 1))
