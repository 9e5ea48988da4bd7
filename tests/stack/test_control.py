"""The control socket of a real stack: who may use it, what it answers, and whom it lets go."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import stat
from collections.abc import Iterator
from typing import Any

import pytest

from holdfast.stack.control import LONGEST_ORDER, MOST_CLIENTS
from holdfast.stack.process import StackProcess
from tests.helpers import wait_until
from tests.stack.driving import answered, crowd, running, wait_for_in_flight

pytestmark = pytest.mark.slow
STATUS = {"type": "status"}


@pytest.fixture(scope="module")
def stack() -> Iterator[StackProcess]:
    with running() as found:
        yield found


def connected(stack: StackProcess) -> socket.socket:
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(30)
    client.connect(stack.serving.control)
    return client


def told(stack: StackProcess, order: bytes | dict[str, Any]) -> list[dict[str, Any]]:
    """All that an order is answered with."""
    line = order if isinstance(order, bytes) else json.dumps(order).encode() + b"\n"
    with connected(stack) as client:
        client.sendall(line)
        with client.makefile("rb") as lines:
            return [json.loads(each) for each in lines]


def test_only_its_owner_reaches_it(stack: StackProcess) -> None:
    """The socket is of mode 0600, whatever the umask was."""
    assert stat.S_IMODE(os.stat(stack.serving.control).st_mode) == 0o600


def test_the_status_has_every_worker(stack: StackProcess) -> None:
    """Slot, generation, process and state of each, as the stack's events have them."""
    (seen,) = told(stack, STATUS)
    assert (seen["type"], seen["doing"], seen["slots"]) == ("running", "serving", 2)
    assert [(w["slot"], w["pid"], w["state"]) for w in seen["workers"]] == [
        (worker.slot, worker.pid, "ready") for worker in stack.workers()
    ]


def test_the_status_counts_what_is_in_flight(stack: StackProcess) -> None:
    """As the gauge has it."""
    with crowd(stack.port, 50) as clients:
        wait_for_in_flight(stack, 50)
        assert told(stack, STATUS)[0]["in_flight"] == 50
        assert answered(clients) == 50


@pytest.mark.parametrize("order", [b"nonsense\n", b'{"type":"explode"}\n', b"\n"])
def test_what_is_no_order_is_refused(stack: StackProcess, order: bytes) -> None:
    """With what is wrong about it, and the stack serves on."""
    (answer,) = told(stack, order)
    assert answer["type"] == "failed"
    assert "no order" in answer["fault"]
    assert told(stack, STATUS)[0]["doing"] == "serving"


def test_an_endless_order_is_cut(stack: StackProcess) -> None:
    """Who sends more than an order may be long is let go."""
    with connected(stack) as client, contextlib.suppress(BrokenPipeError, ConnectionResetError):
        client.sendall(b"x" * 4 * LONGEST_ORDER)
        assert client.recv(1) == b""
    assert told(stack, STATUS)[0]["doing"] == "serving"


def test_clients_that_say_nothing_keep_nobody_out(stack: StackProcess) -> None:
    """Whoever comes when all places are taken has that of the one that was silent for longest."""
    with contextlib.ExitStack() as undo:
        silent = [undo.enter_context(connected(stack)) for _ in range(MOST_CLIENTS)]
        assert told(stack, STATUS)[0]["doing"] == "serving"
        assert silent[0].recv(1) == b""
        with connected(stack) as late:
            late.sendall(json.dumps(STATUS).encode() + b"\n")
            assert b"running" in late.recv(65_536)


def test_a_client_that_does_not_read_is_let_go(stack: StackProcess) -> None:
    """Orders go on without it, and the supervisor waits for nobody."""
    with connected(stack) as deaf:
        deaf.sendall(b'{"type":"reload"}\n')
        wait_until(lambda: any(e.kind == "reloaded" for e in stack.stack_events()))
    assert told(stack, STATUS)[0]["doing"] == "serving"


def test_its_path_is_gone_with_the_stack() -> None:
    """Nothing is left to connect to."""
    with running(slots=1) as stack:
        path = stack.serving.control
        assert os.path.exists(path)
    assert not os.path.exists(path)


def test_a_drained_stack_stays_until_it_is_told_to_end() -> None:
    """Nobody is let in, what is held is finished, and its status can be asked for."""
    with running(slots=1) as stack, crowd(stack.port, 20) as clients:
        wait_for_in_flight(stack, 20)
        with connected(stack) as drains:
            drains.sendall(b'{"type":"drain"}\n')
            wait_until(lambda: told(stack, STATUS)[0]["doing"] == "draining")
            assert answered(clients) == 20
            with drains.makefile("rb") as lines:
                answers = [json.loads(line) for line in lines]
        assert (answers[-1]["type"], answers[-1].get("exit_code", 0)) == ("done", 0)
        assert told(stack, STATUS)[0]["doing"] == "drained"
        (refused,) = told(stack, {"type": "scale", "slots": 1})
        assert "stopping" in refused["fault"]
        assert told(stack, {"type": "down"})[-1]["type"] == "done"
        wait_until(lambda: not stack.is_alive())
