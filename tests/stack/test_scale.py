"""More and fewer workers while 2,000 requests are in flight: nothing is lost, what fits is said."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from holdfast.sizing.layout import Program
from holdfast.stack.process import StackProcess
from tests.edges import PROGRAMS
from tests.helpers import wait_until
from tests.stack.cgroups import cgroup
from tests.stack.driving import BUSY, Log, answered, crowd, running, wait_for_in_flight
from tests.stack.edges import SLOTS, behind
from tests.stack.operating import (
    PAIRS,
    WAYS,
    Site,
    answer_more,
    check_nothing_lost,
    flow,
    told,
    wait_for_end,
)

pytestmark = pytest.mark.slow

MOST = 4
TURNS = 4
"""How often a stack is scaled to `MOST` or fewer workers, in turn; `bad_luck` has twice as many."""
GREEDY = "held = bytearray(2**30)\nheld[::4096] = bytes(range(256)) * 1024\n"
ROOM_BYTES = 400 * 2**20
"""Of memory: for a supervisor and a worker, and not for what GREEDY takes."""


def serving(stack: StackProcess) -> list[int]:
    """The slots whose worker takes requests."""
    return [worker.slot for worker in stack.workers() if worker.state == "ready"]


@pytest.mark.parametrize(("program", "engine"), PAIRS)
def test_twice_the_workers_and_back(program: Program | None, engine: str, tmp_path: Path) -> None:
    """From two workers to four and to two again under load, with clients that come meanwhile.

    Without an edge a client that is there stays with its worker: only who comes later is spread.
    """
    site, half = Site(tmp_path, engine), BUSY // 2
    with running(**site.fields(program, most=MOST)) as stack, flow(stack, half) as fleet:
        stack.scale(MOST)
        more = wait_for_end(stack, "scale")
        assert (more.kind, more.slots, serving(stack)) == ("scaled", MOST, list(range(MOST)))
        with flow(stack, half, seed=1) as later:
            wait_until(lambda: begun_by_slot(stack) == set(range(MOST)))  # nginx looks each 5 s
            stack.scale(SLOTS)
            fewer = wait_for_end(stack, "scale", 2)
            assert (fewer.kind, fewer.cut, serving(stack)) == ("scaled", 0, list(range(SLOTS)))
            answer_more(later, half)
            assert begun_by_slot(stack) == set(range(SLOTS))
            totals = [each.let_go(60.0) for each in (fleet, later)]
        log = Log(stack)
        assert log.of("died") == log.of("cut") == []
        assert sorted(event.slot for event in log.of("stopped")) == list(range(SLOTS, MOST))
    check_nothing_lost(site, *totals)


@pytest.mark.parametrize("program", PROGRAMS)
def test_all_come_again_at_once_after_each_scaling(program: Program) -> None:
    """Connections that were left idle to some slots leave room for those to as many more."""
    with running(most=2 * MOST, **behind(program)) as stack, crowd(stack.port, BUSY) as clients:
        wait_for_in_flight(stack, BUSY)
        assert answered(clients) == BUSY
        for turn, slots in enumerate((MOST, 2 * MOST), 1):
            stack.scale(slots)
            assert wait_for_end(stack, "scale", turn).kind == "scaled"
            for client in clients:
                client.ask()
            wait_for_in_flight(stack, BUSY)
            assert answered(clients) == BUSY


@pytest.mark.parametrize("program", PROGRAMS)
def test_up_and_down_with_all_that_are_planned_for(program: Program, tmp_path: Path) -> None:
    """Requests that end together and begin together again find the new workers, and the old."""
    check_up_and_down(program, tmp_path, TURNS)


def check_up_and_down(program: Program, folder: Path, turns: int) -> None:
    """Scale a stack so often while all of its clients ask at once: none of them fails."""
    site = Site(folder)
    site.env["SIGMA"] = "0"
    with running(**site.fields(program, most=MOST)) as stack, flow(stack) as fleet:
        for turn in range(turns):
            slots = SLOTS if turn % 2 else MOST
            stack.scale(slots)
            end = wait_for_end(stack, "scale", turn + 1)
            assert (end.kind, end.slots, end.cut) == ("scaled", slots, 0)
            answer_more(fleet, BUSY)
        totals = fleet.let_go(60.0)
        log = Log(stack)
        assert log.of("died") == log.of("cut") == []
    check_nothing_lost(site, totals)


def begun_by_slot(stack: StackProcess) -> set[int]:
    """The slots whose workers have begun a request."""
    return {row.slot for row in stack.gauge.read() if row.started}


def test_one_too_many_by_a_signal_is_refused() -> None:
    """Nobody waits for an answer: it is reported with what fits, and nothing changes."""
    with running(most=SLOTS, most_why="there is memory for them") as stack:
        os.kill(stack.supervisor_pid, signal.SIGTTIN)
        wait_until(lambda: told(stack, "refused"))
        assert told(stack, "refused")[0].text.startswith(f"{SLOTS + 1} workers do not fit")
        assert (serving(stack), told(stack, "scaling")) == (list(range(SLOTS)), [])


@pytest.mark.parametrize("program", WAYS)
def test_a_slot_is_wanted_again_before_it_has_drained(program: Program | None) -> None:
    """It has a second worker at once, while the first one finishes what it holds."""
    few = 100
    fields = {} if program is None else behind(program)
    with running(most=SLOTS, **fields) as stack, crowd(stack.port, few) as clients:
        wait_for_in_flight(stack, few)
        log = Log(stack)
        stack.scale(1)
        log.wait_for("draining")
        stack.scale(SLOTS)
        assert wait_for_end(stack, "scale").kind == "scaled"
        assert [(w.slot, w.generation) for w in stack.workers()] == [(0, 1), (1, 2)]
        with crowd(stack.port, few) as later:
            assert answered(later) == few
        assert log.of("stopped") == []
        assert answered(clients) == few
        (stopped,) = log.wait_for("stopped")
        assert (stopped.slot, stopped.generation, stopped.status) == (1, 1, 0)


@pytest.mark.parametrize("program", PROGRAMS[1:])
def test_a_full_pids_cgroup_lets_no_worker_start(program: Program | None, tmp_path: Path) -> None:
    """Neither to be more nor to be new: the stack serves on as it was, and later takes both."""
    site = Site(tmp_path)
    fields = site.fields(program, most=MOST)
    with cgroup("pids") as group, running(**fields) as stack, flow(stack, BUSY // 2) as fleet:
        group.take(stack.supervisor_pid)
        group.limit(group.current())
        stack.scale(MOST)
        refused = wait_for_end(stack, "scale")
        assert (refused.kind, refused.slots) == ("not_scaled", SLOTS)
        assert "cannot start a worker" in refused.text
        site.publish("2")
        stack.reload()
        kept = wait_for_end(stack, "reload")
        assert kept.kind == "not_reloaded"
        assert "cannot start a worker" in kept.text
        assert set(answer_more(fleet, BUSY).tally) == {"1"}
        group.limit(None)
        stack.scale(MOST)
        assert wait_for_end(stack, "scale", 2).kind == "scaled"
        stack.reload()
        assert wait_for_end(stack, "reload", 2).kind == "reloaded"
        answer_more(fleet, BUSY)
        totals = fleet.let_go(60.0)
    check_nothing_lost(site, totals)
    assert set(totals.tally) == {"1", "2"}


@pytest.mark.parametrize("program", WAYS[:1])
def test_a_full_memory_cgroup_kills_the_new_worker_only(
    program: Program | None, tmp_path: Path
) -> None:
    """New code that takes more than there is dies before it is ready: the old serves on."""
    site = Site(tmp_path)
    fields = site.fields(program, most=MOST)
    with cgroup("memory") as group, running(**fields) as stack, flow(stack, BUSY // 2) as fleet:
        group.take(stack.supervisor_pid)
        group.limit(ROOM_BYTES)
        site.spoil(GREEDY)
        stack.reload()
        assert wait_for_end(stack, "reload").kind == "not_reloaded"
        stack.scale(MOST)
        assert wait_for_end(stack, "scale").kind == "not_scaled"
        assert serving(stack) == list(range(SLOTS))
        totals = fleet.let_go(60.0)
        assert {event.status for event in Log(stack).of("died")} == {-signal.SIGKILL}
    check_nothing_lost(site, totals)
