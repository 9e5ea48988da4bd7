"""kill -9 under load: what is lost is counted, and what was killed serves again."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from holdfast.cli.running import ask
from holdfast.model.errors import BadInput, HoldfastError
from holdfast.sizing.layout import Program
from holdfast.stack.config import StackEvent
from holdfast.stack.orders import Reload, Running, Status
from holdfast.stack.process import StackProcess
from tests.helpers import free_port, wait_until
from tests.load.servers import check_accounts
from tests.stack.driving import (
    BUSY,
    Log,
    answered,
    config,
    crowd,
    marked,
    running,
    wait_for_in_flight,
)
from tests.stack.edges import behind
from tests.stack.operating import PAIRS, WAYS, Site, answer_more, flow

pytestmark = pytest.mark.slow

FEW = 100
AWAY_S = 2.0
"""Within which nothing of a stack is left whose supervisor was killed: the issue's figure."""


@pytest.mark.parametrize(("program", "engine"), PAIRS)
def test_a_killed_worker_loses_what_was_inside_it(
    program: Program | None, engine: str, tmp_path: Path
) -> None:
    """Each request that failed was in it, or had come to it unread; another worker takes over."""
    site = Site(tmp_path, engine)
    with running(**site.fields(program)) as stack, flow(stack) as fleet:
        log = Log(stack)
        victim = stack.workers()[0]
        os.kill(victim.pid, signal.SIGKILL)
        (died,) = log.wait_for("died")
        wait_until(lambda: log.of("ready")[-1].at_s > died.at_s)
        answer_more(fleet, 2 * BUSY)
        new = [row for row in stack.gauge.read() if row.slot == victim.slot]
        assert [(row.generation, row.started > 0) for row in new] == [(2, True)]
        totals = fleet.let_go(60.0)
        assert [event.pid for event in log.of("died")] == [victim.pid]
    check_accounts(totals)
    begun = site.begun()
    assert set(begun.values()) == {1}
    unread = totals.sent - len(begun)
    assert 0 < died.in_flight <= totals.failed <= died.in_flight + unread
    assert totals.failed < BUSY
    assert totals.unfinished == 0


def test_the_accept_queue_of_a_killed_worker_survives() -> None:
    """Without an edge, who waits to be accepted is served by its successor, and none is reset."""
    with running(slots=1) as stack, crowd(stack.port, FEW) as inside:
        wait_for_in_flight(stack, FEW)
        log = Log(stack)
        victim = stack.workers()[0].pid
        os.kill(victim, signal.SIGSTOP)
        with crowd(stack.port, FEW) as waiting:
            os.kill(victim, signal.SIGKILL)
            (died,) = log.wait_for("died")
            assert died.in_flight == FEW
            assert [client.status() for client in inside] == [0] * FEW
            assert answered(waiting) == FEW


@pytest.mark.parametrize("program", WAYS)
def test_a_killed_supervisor_leaves_its_place_free(
    program: Program | None, mark: str, short_path: Path
) -> None:
    """Nothing lives after 2 s; a stack starts at once on its port and in its run folder."""
    fields = {} if program is None else behind(program)
    check_place_is_free(fields, FEW, mark, short_path, times=3)


def check_place_is_free(
    fields: dict[str, Any], count: int, mark: str, folder: Path, times: int
) -> None:
    """So many times a stack of these fields is killed amid as many requests; then one serves."""
    folder.chmod(0o755)  # HAProxy runs as nobody
    told = config(**fields, port=free_port(), run_dir=str(folder / "run"))
    for _ in range(times):
        with StackProcess(told) as stack:
            stack.start()
            stack.wait_until_ready(60)
            with crowd(stack.port, count) as clients:
                wait_for_in_flight(stack, count)
                os.kill(stack.supervisor_pid, signal.SIGKILL)
                wait_until(lambda: not marked(mark), ceiling_s=AWAY_S, what="no process left")
                cut_by_either = {0, 502}
                assert {client.status() for client in clients} <= cut_by_either
            control = Path(stack.serving.control)
            assert control.is_socket()  # stale: the next one puts its own there
    with StackProcess(told) as stack:
        stack.start()
        stack.wait_until_ready(60)
        (seen,) = ask(str(control), Status())
        assert isinstance(seen, Running)
        assert seen.supervisor_pid == stack.supervisor_pid
        with crowd(stack.port, count) as clients:
            assert answered(clients) == count
    assert not control.exists()


def test_a_supervisor_that_is_there_keeps_its_place(short_path: Path) -> None:
    """A second stack on its port or in its run folder is refused, and the first serves on."""
    run_dir = str(short_path / "run")
    with running(run_dir=run_dir) as stack:
        for fields in ({"port": stack.port}, {"run_dir": run_dir}):
            with StackProcess(config(**fields)) as second:
                second.start()
                with pytest.raises(BadInput):
                    second.wait_until_ready(60)
        (seen,) = ask(stack.serving.control, Status())
        assert isinstance(seen, Running)
        assert seen.supervisor_pid == stack.supervisor_pid
        with crowd(stack.port, FEW) as clients:
            assert answered(clients) == FEW


def test_whoever_waits_for_a_killed_supervisor_is_let_go(mark: str) -> None:
    """An order that is under way ends with its supervisor, and is not said to be done."""
    with running() as stack, crowd(stack.port, FEW):
        wait_for_in_flight(stack, FEW)
        answers = ask(stack.serving.control, Reload())
        assert isinstance(next(answers), StackEvent)
        Log(stack).wait_for("draining")
        os.kill(stack.supervisor_pid, signal.SIGKILL)
        with pytest.raises(HoldfastError, match="ended before it was done"):
            list(answers)
        wait_until(lambda: not marked(mark), ceiling_s=AWAY_S, what="no process left")
