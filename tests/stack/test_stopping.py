"""How a stack stops: what it finishes, what it cuts, and who may hurry it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys

import pytest

from holdfast.stack.process import StackProcess
from tests.helpers import wait_until
from tests.stack.driving import (
    APPS,
    BUSY,
    Asking,
    Client,
    Log,
    answered,
    config,
    crowd,
    marked,
    running,
    stop_beside,
    stopping,
    wait_for_in_flight,
)

pytestmark = pytest.mark.slow


def refuses(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except ConnectionError:
        return True
    return False


def test_a_stop_finishes_what_is_in_flight() -> None:
    """2,000 requests in flight are all answered, each told to close, and the exit code is 0."""
    with running() as stack, crowd(stack.port, BUSY) as clients:
        wait_for_in_flight(stack, BUSY)
        with stopping(stack) as codes:
            wait_until(lambda: refuses(stack.port))
            for client in clients:
                client.finish()
            answers = [client.read() for client in clients]
        assert [status for status, _, _ in answers] == [200] * BUSY
        assert {headers.get("connection") for _, headers, _ in answers} == {"close"}
        assert codes == [0]
        stopped = Log(stack).wait_for("stopped", 2)
        assert {event.status for event in stopped} == {0}


def test_a_stop_closes_idle_clients() -> None:
    """Clients that are connected and ask for nothing do not delay the end."""
    with running() as stack, crowd(stack.port, 100) as clients:
        assert answered(clients) == 100
        silent = [Client(stack.port) for _ in range(100)]
        assert stack.stop() == 0
        assert {client.status() for client in clients + silent} == {0}
        for client in silent:
            client.close()


def test_a_stop_answers_what_waits_in_the_accept_queue() -> None:
    """Connections that the kernel has accepted before the stop are served, not reset."""
    with running(slots=1) as stack:
        (worker,) = stack.workers()
        os.kill(worker.pid, signal.SIGSTOP)
        with crowd(stack.port, 200) as clients, stopping(stack) as codes:
            os.kill(worker.pid, signal.SIGCONT)
            assert answered(clients) == 200
        assert codes == [0]


def test_busy_keep_alive_clients_lose_no_request() -> None:
    """A client that always asks again is answered until it is told to close; then it is refused."""
    asking = Asking()
    with running() as stack:
        stop_beside(stack, asking.come)
    assert asking.lost == []
    assert asking.told


def test_what_outlasts_the_grace_time_is_cut_and_counted() -> None:
    """After the grace time 50 requests are cut: said so, counted, and the exit code is 1."""
    with running(grace_s=1.0) as stack, crowd(stack.port, 50) as clients:
        wait_for_in_flight(stack, 50)
        log = Log(stack)
        assert stack.stop() == 1
        assert sum(event.in_flight for event in log.of("cut")) == 50
        assert not {client.status() for client in clients} & {200}


def test_an_app_that_will_not_end_is_killed() -> None:
    """A request that heeds nothing ends with its worker, a little after the grace time."""
    with running(grace_s=0.5, slots=1) as stack, crowd(stack.port, 3, "/stubborn"):
        wait_for_in_flight(stack, 3)
        log = Log(stack)
        assert stack.stop() == 1
        assert sum(event.in_flight for event in log.of("cut")) == 3
        assert [event.status for event in log.of("stopped")] == [-signal.SIGKILL]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_second_signal_kills_at_once(number: signal.Signals) -> None:
    """The first signal drains, the second does not wait for what is in flight."""
    with running(grace_s=600) as stack, crowd(stack.port, 50) as clients:
        wait_for_in_flight(stack, 50)
        log = Log(stack)
        os.kill(stack.supervisor_pid, number)
        log.wait_for("draining", 2)
        os.kill(stack.supervisor_pid, number)
        wait_until(lambda: not stack.is_alive())
        assert sum(event.in_flight for event in log.of("cut")) == 50
        assert {client.status() for client in clients} == {0}
        assert stack.stop() == 1


def test_a_stop_during_the_start_ends_it() -> None:
    """A stack that is told to stop before it serves stops at once, and leaves nothing."""
    with StackProcess(config()) as stack:
        stack.start()
        log = Log(stack)
        log.wait_for("started")
        assert stack.stop() == 0
        assert log.of("ready") == []


FOREGROUND = """
from holdfast.stack.config import Event, Serving, StackConfig
from holdfast.stack.supervisor import Supervisor
def report(message):
    if isinstance(message, Event | Serving):
        said = message.kind if isinstance(message, Event) else message.port
        print(type(message).__name__, said, flush=True)
config = StackConfig(app="held:app", app_dir={!r}, slots=1)
print("exit", Supervisor(config, report).run(), flush=True)
"""


def test_a_supervisor_in_the_foreground_heeds_ctrl_c(monkeypatch: pytest.MonkeyPatch) -> None:
    """SIGINT to the whole foreground group drains; the events went to the callback."""
    mark = f"mark-{os.urandom(8).hex()}"
    monkeypatch.setenv("HOLDFAST_TEST_MARK", mark)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, sys.path)))
    with subprocess.Popen(
        [sys.executable, "-c", FOREGROUND.format(str(APPS))],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        lines = []
        for line in process.stdout:
            lines.append(line.split())
            if lines[-1][0] == "Serving":
                client = Client(int(lines[-1][1]))
                client.ask()
                os.killpg(process.pid, signal.SIGINT)
            if lines[-1] == ["Event", "draining"]:
                client.finish()
                assert client.status() == 200
                client.close()
    kinds = [kind for _, kind in lines]
    assert kinds[:2] + kinds[3:] == ["started", "ready", "draining", "stopped", "0"]
    assert marked(mark) == set()
