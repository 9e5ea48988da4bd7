"""How a stack takes its port, and what it says where it cannot."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from holdfast.model.errors import BadInput
from holdfast.stack.limits import raise_nofile
from holdfast.stack.listen import Listening
from tests.helpers import free_port

HERE = "127.0.0.1"


def test_a_taken_port_is_named_with_its_holder() -> None:
    """A port that another program listens on is refused: where, by whom, and what to do."""
    with socket.create_server((HERE, free_port())) as other:
        port = other.getsockname()[1]
        with pytest.raises(BadInput) as caught:
            Listening(HERE, port, 2, 64)
    name = Path("/proc/self/comm").read_text().strip()
    assert caught.value.fault == f"port {port} is taken by `{name}` (process {os.getpid()})"
    assert caught.value.place == f"{HERE}:{port}"
    assert caught.value.hint == "use another port, or 0 for a free one"


@pytest.mark.parametrize("address", [HERE, "0.0.0.0"])
def test_two_stacks_never_share_a_port(address: str) -> None:
    """Although each slot's socket shares the port, a second stack on it is refused."""
    with closing(Listening(HERE, 0, 2, 64)) as first, pytest.raises(BadInput, match="is taken"):
        Listening(address, first.port, 2, 64)


@pytest.mark.slow
def test_of_two_that_race_for_a_port_one_gets_it() -> None:
    """Two stacks that take the same port at the same moment never both have it."""
    ports = [free_port() for _ in range(50)]
    barrier = threading.Barrier(2)
    won: list[tuple[int, Listening]] = []

    def race() -> None:
        for port in ports:
            barrier.wait(30)
            try:
                won.append((port, Listening(HERE, port, 3, 64)))
            except BadInput:
                continue

    threads = [threading.Thread(target=race) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for _, listening in won:
        listening.close()
    assert len({port for port, _ in won}) == len(won)
    assert len(won) >= len(ports) * 0.9  # both may lose now and then; never may both win


def test_a_port_is_free_again_after_its_connections() -> None:
    """Connections of a former stack that are still closing do not keep the port."""
    with closing(Listening(HERE, 0, 1, 64)) as former:
        client = socket.create_connection((HERE, former.port))
        listener = former.sockets[0]
        listener.setblocking(True)
        accepted, _ = listener.accept()
    accepted.close()  # this end closes first, and keeps the port's TIME_WAIT
    client.close()
    Listening(HERE, former.port, 2, 64).close()


def test_letting_go_takes_no_new_connection_and_keeps_the_old() -> None:
    """After letting go, what was queued can be accepted and nothing is added to the queue."""
    with closing(Listening(HERE, 0, 1, 64)) as listening:
        worker = listening.sockets[0].dup()  # as a worker has it
        before = socket.create_connection((HERE, listening.port))
        listening.let_go()
        late = socket.socket()
        late.setblocking(False)
        late.connect_ex((HERE, listening.port))
        accepted, peer = worker.accept()
        assert peer == before.getsockname()
        with pytest.raises(BlockingIOError):
            worker.accept()
        before.sendall(b"x")
        assert accepted.recv(1) == b"x"
        for each in (worker, before, late, accepted):
            each.close()


def test_every_slot_has_a_queue_of_its_own() -> None:
    """Connections are spread by the kernel over the sockets of one port."""
    with closing(Listening(HERE, 0, 3, 64)) as listening:
        clients = [socket.create_connection((HERE, listening.port)) for _ in range(90)]
        queued = []
        for listener in listening.sockets.values():
            accepted = []
            try:
                while True:
                    accepted.append(listener.accept()[0])
            except BlockingIOError:
                queued.append(len(accepted))
            for connection in accepted:
                connection.close()
        for client in clients:
            client.close()
    assert sum(queued) == 90
    assert min(queued) > 0


def test_a_free_port_is_below_the_ephemeral_range() -> None:
    """Port 0 takes one that outgoing connections do not use."""
    lowest = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    with closing(Listening(HERE, 0, 1, 64)) as listening:
        assert 10_240 <= listening.port < max(lowest, 10_241)


def test_the_backlog_is_what_the_kernel_grants() -> None:
    """A backlog above somaxconn is said as somaxconn."""
    somaxconn = int(Path("/proc/sys/net/core/somaxconn").read_text())
    with closing(Listening(HERE, 0, 1, 10 * somaxconn)) as listening:
        assert listening.backlog == somaxconn


@pytest.mark.parametrize(
    ("address", "port", "fault"),
    [
        ("localhost", 0, "`localhost` is not an address"),
        ("192.0.2.1", 0, "this machine does not have the address 192.0.2.1"),
        (HERE, 70_000, "70000 is not a port"),
        (HERE, -1, "-1 is not a port"),
    ],
)
def test_an_address_that_cannot_be_listened_on(address: str, port: int, fault: str) -> None:
    """A bad address or port is bad input, with a hint."""
    with pytest.raises(BadInput) as caught:
        Listening(address, port, 1, 64)
    assert caught.value.fault == fault
    assert caught.value.hint


def in_child(work: Callable[[], object]) -> str:
    """What the work says in a forked child, so that it may give up its rights."""
    inlet, outlet = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            said = repr(work())
        except BaseException as error:
            said = repr((type(error).__name__, *error.args, getattr(error, "hint", "")))
        os.write(outlet, said.encode())
        os._exit(0)
    os.close(outlet)
    with open(inlet, encoding="utf-8") as file:
        said = file.read()
    os.waitpid(pid, 0)
    return said


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become an unprivileged user")
def test_an_unprivileged_user_may_not_take_a_low_port() -> None:
    """Below the first unprivileged port a user without rights is refused, with a hint."""
    lowest = int(Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text())
    if lowest <= 80:
        pytest.skip("every user may listen on every port here")

    def take() -> None:
        os.setgid(65534)
        os.setuid(65534)
        Listening(HERE, 80, 1, 64)

    said = in_child(take)
    assert "BadInput" in said
    assert "no permission to listen on port 80" in said
    assert f"use a port of {lowest} or more" in said


def test_a_hard_limit_below_the_need_is_refused() -> None:
    """Where the hard limit of descriptors is too low for a worker, both numbers are said."""
    code = (
        "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (900, 1000))\n"
        "from holdfast.model.errors import BadInput\n"
        "from holdfast.stack.limits import raise_nofile\n"
        "try: raise_nofile(1001)\n"
        "except BadInput as error: print(error.fault, raise_nofile(1000))\n"
    )
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    said = subprocess.check_output([sys.executable, "-c", code], env=env, text=True, timeout=60)
    assert said == "a worker needs 1001 descriptors, and the hard limit is 1000 1000\n"


def test_a_soft_limit_at_the_hard_one_is_left() -> None:
    """Raising twice changes nothing."""
    assert raise_nofile(64) == raise_nofile(64)


def arrived(listener: socket.socket) -> int:
    """How many connections wait on the socket; each is taken and closed."""
    count = 0
    while True:
        try:
            listener.accept()[0].close()
        except BlockingIOError:
            return count
        count += 1


def connect(port: int, count: int) -> None:
    for _ in range(count):
        socket.create_connection((HERE, port), timeout=30).close()


def test_nobody_is_sent_to_a_hidden_slot() -> None:
    """All others have their share, and who waits on the hidden one's socket can be accepted."""
    with closing(Listening(HERE, 0, 3, 400)) as port:
        connect(port.port, 60)
        waiting = dict(zip(port.sockets, port.queued(), strict=True))
        port.hide(1)
        connect(port.port, 60)
        counts = {slot: arrived(listener) for slot, listener in port.sockets.items()}
        assert counts[1] == waiting[1]
        assert sum(counts.values()) == 120
        assert min(counts[0] - waiting[0], counts[2] - waiting[2]) > 0


def test_a_new_slot_gets_nobody_before_it_is_shown() -> None:
    """From then on it has its share."""
    with closing(Listening(HERE, 0, 1, 400)) as port:
        fresh = port.listener(1, 1)
        connect(port.port, 60)
        assert arrived(fresh) == 0
        port.show(1)
        connect(port.port, 60)
        assert arrived(fresh) > 0


@pytest.mark.parametrize("gone", [(0,), (1,), (3,), (0, 2), (2, 0), (3, 1, 0)])
def test_forgotten_slots_take_nobody_with_them(gone: tuple[int, ...]) -> None:
    """Whichever sockets are closed, in whatever order, every connection arrives at one shown."""
    with closing(Listening(HERE, 0, 4, 400)) as port:
        for slot in gone:
            port.hide(slot)
        hidden = max(set(range(4)) - {*gone})
        for slot in gone:
            port.forget(slot)
        left = {0, 1, 2, 3} - {*gone}
        if len(left) > 1:
            port.hide(hidden)
            left.discard(hidden)
        connect(port.port, 100)
        counts = {slot: arrived(listener) for slot, listener in port.sockets.items()}
        assert sum(counts[slot] for slot in left) == 100
        assert all(counts[slot] > 0 for slot in left)


def test_a_slot_that_was_forgotten_may_come_back() -> None:
    """With a socket of its own again, beside those that stayed."""
    with closing(Listening(HERE, 0, 2, 400)) as port:
        port.hide(1)
        port.forget(1)
        port.listener(1, 5)
        port.show(1)
        connect(port.port, 60)
        counts = [arrived(listener) for listener in port.sockets.values()]
        assert sum(counts) == 60
        assert min(counts) > 0
