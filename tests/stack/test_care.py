"""Workers that are deaf, too large or past their time: who takes their place, and what is lost."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import pytest

from holdfast.cli.running import ask as order
from holdfast.model.care import Care
from holdfast.stack.care import own_bytes
from holdfast.stack.orders import Running, Status
from holdfast.stack.process import StackProcess
from holdfast.stack.supervisor import TOLD_S
from tests.edges import INSTALLED
from tests.helpers import wait_until
from tests.stack.asked import ask
from tests.stack.driving import (
    Asking,
    Client,
    Log,
    answered,
    crowd,
    running,
    wait_for_in_flight,
)
from tests.stack.edges import behind, open_sockets
from tests.stack.operating import told
from tests.stack.standing import let_pass, standing_still

pytestmark = pytest.mark.slow

MIB = 2**20
FEW = 100
DEAF_S = 4.0
"""Twice what a look counts at most."""


def generations(stack: StackProcess) -> list[int]:
    return [worker.generation for worker in stack.workers()]


def test_a_worker_over_its_memory_is_replaced() -> None:
    """The one that has grown, and no other; what it had and what it may have is told."""
    with running("growing:app", care=Care(memory=100 * MIB)) as stack:
        log = Log(stack)
        grown = int(ask(stack.port, "/grow?128").body)
        (outdated,) = log.wait_for("outdated")
        assert outdated.text.startswith("memory: ")
        assert outdated.text.endswith(" of 100 MiB")
        (stopped,) = log.wait_for("stopped")
        assert (stopped.pid, stopped.status) == (grown, 0)
        assert own_bytes(grown) == 0
        assert sorted(generations(stack)) == [1, 2]
        assert log.of("died") == log.of("cut") == []


def test_workers_past_their_requests_are_replaced_and_nothing_is_lost() -> None:
    """While clients ask again and again, worker after worker has its turn."""
    asking = Asking()
    with running(care=Care(max_requests=300)) as stack:
        threads = [threading.Thread(target=asking.come, args=(stack.port,)) for _ in range(8)]
        for thread in threads:
            thread.start()
        log = Log(stack)
        outdated = log.wait_for("outdated", 4)
        log.wait_for("stopped", 4)
        assert stack.stop() == 0
        for thread in threads:
            thread.join(30)
    assert asking.lost == []
    assert {event.slot for event in outdated} == {0, 1}
    assert all(event.text.endswith(" requests of 300") for event in outdated)
    assert log.of("cut") == log.of("died") == []


@pytest.mark.parametrize("edge", ["", *INSTALLED])
def test_a_worker_that_stands_still_for_a_while_loses_nothing(edge: str) -> None:
    """Stopped and continued within its time it answers all that it held, and stays."""
    if edge and not INSTALLED[edge]:
        pytest.skip(f"{edge} is not installed")
    fields = behind(edge) if edge else {}  # type: ignore[arg-type]
    with running(**fields, care=Care(deaf=9.0)) as stack, crowd(stack.port, FEW) as clients:
        wait_for_in_flight(stack, FEW)
        log = Log(stack)
        at_rest = min(open_sockets(stack.supervisor_pid) for _ in range(5))
        stopped = stack.gauge.read()[0]
        assert stopped.started > stopped.finished
        os.kill(stopped.pid, signal.SIGSTOP)
        for client in clients:
            client.finish()
        wait_until(lambda: open_sockets(stack.supervisor_pid) > at_rest, what="asked")
        os.kill(stopped.pid, signal.SIGCONT)
        assert [client.status() for client in clients] == [200] * FEW
        wait_until(lambda: open_sockets(stack.supervisor_pid) == at_rest, what="answered")
        assert log.of("outdated") == log.of("died") == []
        assert generations(stack) == [1, 1]


def wait_for_a_turn(stack: StackProcess) -> None:
    """Until the supervisor has been through all that it looks at: between two of its answers."""
    for _ in range(2):
        (seen,) = order(stack.serving.control, Status())
        assert isinstance(seen, Running)


def test_a_supervisor_that_stands_still_itself_blames_nobody() -> None:
    """What it did not look at is not counted: a worker has as long as before, and answers."""
    with running(care=Care(deaf=DEAF_S)) as stack, crowd(stack.port, FEW) as clients:
        wait_for_in_flight(stack, FEW)
        log = Log(stack)
        at_rest = min(open_sockets(stack.supervisor_pid) for _ in range(5))
        with standing_still(stack.workers()[0].pid):
            wait_until(lambda: open_sockets(stack.supervisor_pid) > at_rest, what="asked")
            with standing_still(stack.supervisor_pid):
                let_pass(DEAF_S)
            wait_for_a_turn(stack)
        assert answered(clients) == FEW
        wait_until(lambda: open_sockets(stack.supervisor_pid) == at_rest, what="answered")
        assert log.of("outdated") == log.of("died") == []
        assert generations(stack) == [1, 1]


def test_a_long_standstill_is_told() -> None:
    """Of the supervisor, or of the machine: who wonders at what failed meanwhile sees it."""
    with running(care=Care(deaf=DEAF_S)) as stack:
        wait_for_a_turn(stack)
        with standing_still(stack.supervisor_pid):
            let_pass(TOLD_S + 1.5)  # it looks each second, and is late from then on
        (event,) = wait_until(lambda: told(stack, "stood_still"))
        assert event.took_s >= TOLD_S


def test_a_worker_that_is_deaf_is_replaced_and_finishes_what_it_holds() -> None:
    """Its slot has a successor for all that come; continued within the grace time it loses none."""
    with running(care=Care(deaf=1.5)) as stack, crowd(stack.port, FEW) as clients:
        wait_for_in_flight(stack, FEW)
        log = Log(stack)
        victim = stack.workers()[0]
        os.kill(victim.pid, signal.SIGSTOP)
        (outdated,) = log.wait_for("outdated")
        assert (outdated.slot, outdated.generation) == (0, 1)
        assert outdated.text.startswith("deaf: no answer for ")
        log.wait_for("draining")
        with crowd(stack.port, FEW) as later:
            assert answered(later) == FEW
        os.kill(victim.pid, signal.SIGCONT)
        assert answered(clients) == FEW
        (stopped,) = log.wait_for("stopped")
        assert (stopped.pid, stopped.status) == (victim.pid, 0)
        assert generations(stack) == [2, 1]
        assert len(log.of("outdated")) == 1


def test_a_worker_that_stays_deaf_is_cut_at_the_grace_time() -> None:
    """What is inside it is lost and counted; everything else is answered."""
    with (
        running(care=Care(deaf=1.5), grace_s=1.0) as stack,
        crowd(stack.port, FEW) as clients,
    ):
        wait_for_in_flight(stack, FEW)
        log = Log(stack)
        victim = stack.gauge.read()[0]
        held = victim.started - victim.finished
        os.kill(victim.pid, signal.SIGSTOP)
        (cut,) = log.wait_for("cut")
        assert (cut.pid, cut.in_flight) == (victim.pid, held)
        assert answered(clients) == FEW - held
        assert sorted(generations(stack)) == [1, 2]


@pytest.mark.parametrize("engine", ["sync", "gthread"])
def test_a_worker_whose_threads_are_all_busy_is_not_deaf(engine: str) -> None:
    """It cannot answer its supervisor before a request ends; one that stands still beside it is."""
    with (
        running("kit_wsgi:app", engine=engine, care=Care(deaf=1.5)) as stack,
        crowd(stack.port, 1) as clients,
    ):
        wait_for_in_flight(stack, 1)
        (idle,) = (row for row in stack.gauge.read() if row.started == row.finished)
        os.kill(idle.pid, signal.SIGSTOP)
        log = Log(stack)
        (outdated,) = log.wait_for("outdated")
        assert outdated.slot == idle.slot
        log.wait_for("draining")
        os.kill(idle.pid, signal.SIGCONT)
        log.wait_for("stopped")
        assert answered(clients) == 1
        assert len(log.of("outdated")) == 1


def test_a_successor_that_does_not_start_leaves_the_worker(tmp_path: Path) -> None:
    """Its last output is told, the former one serves on, and the slot is left alone for a while."""
    broken = tmp_path / "broken"
    with running(
        "growing:app", slots=1, env={"BROKEN": str(broken)}, care=Care(memory=100 * MIB)
    ) as stack:
        log = Log(stack)
        broken.touch()
        pid = int(ask(stack.port, "/grow?128").body)
        (kept,) = log.wait_for("kept")
        assert (kept.generation, kept.pid) == (1, pid)
        assert "broken since it was started" in kept.text
        assert int(ask(stack.port, "/").body) == pid
        assert len(log.of("outdated")) == 1


def test_a_loop_that_stands_still_says_how_long() -> None:
    """The gauge shows the pause of the last second, and then less and less."""
    with running("growing:app", slots=1) as stack:
        client = Client(stack.port)
        client.get("/block?0.4")
        wait_until(lambda: stack.gauge.read()[0].lag_us > 100_000)
        assert client.status() == 200
        client.close()
        wait_until(lambda: stack.gauge.read()[0].lag_us < 50_000)
