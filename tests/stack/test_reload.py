"""New code while 2,000 requests are in flight and answers flow: nothing is lost, nothing twice."""

from __future__ import annotations

import os
import random
import signal
from pathlib import Path

import pytest

from holdfast.sizing.layout import Program
from tests.edges import PROGRAMS
from tests.helpers import wait_until
from tests.load.servers import check_accounts
from tests.stack.driving import BUSY, Log, running
from tests.stack.edges import SLOTS
from tests.stack.operating import (
    ALL,
    WAYS,
    Site,
    answer_more,
    check_nothing_lost,
    flow,
    most_at_once,
    told,
    wait_for_end,
)
from tests.stack.signalled import check_signalled

pytestmark = pytest.mark.slow

BROKEN = 'raise RuntimeError("new and broken")\n'
HANGING = 'import threading\nprint("new and slow", flush=True)\nthreading.Event().wait()\n'
AT_ONCE = {"drains": 1}
"""One slot after the other: the next one waits until the former worker of the last has ended."""
DRAWN = 6
"""Draws of a run, of which each commit has its own; `scripts/test full bad_luck` has 100."""


@pytest.mark.parametrize(("program", "engine"), ALL)
def test_every_worker_is_reloaded_and_nothing_is_lost(
    program: Program | None, engine: str, tmp_path: Path
) -> None:
    """Answers come from old and new code, each once; afterwards from new code only."""
    site = Site(tmp_path, engine)
    with running(**site.fields(program, **AT_ONCE)) as stack, flow(stack) as fleet:
        log = Log(stack)
        site.publish("2")
        stack.reload()
        reloaded = wait_for_end(stack, "reload")
        assert (reloaded.kind, reloaded.slots, reloaded.cut) == ("reloaded", SLOTS, 0)
        old = answer_more(fleet, BUSY).tally["1"]  # what was on its way has arrived
        answer_more(fleet, BUSY)
        totals = fleet.let_go(60.0)
        assert [worker.generation for worker in stack.workers()] == [2] * SLOTS
        assert [event.status for event in log.of("stopped")] == [0] * SLOTS
        assert most_at_once(log.events) == SLOTS + AT_ONCE["drains"]
        assert log.of("died") == []
    check_nothing_lost(site, totals)
    assert set(totals.tally) == {"1", "2"}
    assert totals.tally["1"] == old


@pytest.mark.parametrize(
    ("program", "code", "says"),
    [
        pytest.param(*WAYS[0].values, BROKEN, "new and broken", id="direct-broken"),
        pytest.param(
            *WAYS[1].values, HANGING, "new and slow", marks=WAYS[1].marks, id="nginx-slow"
        ),
    ],
)
def test_code_that_does_not_start_changes_nothing(
    program: Program | None, code: str, says: str, tmp_path: Path
) -> None:
    """Its last output is told and the old code serves on; once it is mended it is taken."""
    site = Site(tmp_path)
    with running(**site.fields(program, start_s=6.0)) as stack, flow(stack) as fleet:
        before = [worker.pid for worker in stack.workers()]
        site.publish("2")
        site.spoil(code)
        stack.reload()
        kept = wait_for_end(stack, "reload")
        assert kept.kind == "not_reloaded"
        assert says in kept.text
        assert [worker.pid for worker in stack.workers()] == before
        assert set(answer_more(fleet, BUSY).tally) == {"1"}
        site.mend()
        stack.reload()
        assert wait_for_end(stack, "reload", 2).kind == "reloaded"
        assert not set(before) & {worker.pid for worker in stack.workers()}
        answer_more(fleet, BUSY)
        totals = fleet.let_go(60.0)
    check_nothing_lost(site, totals)
    assert set(totals.tally) == {"1", "2"}


@pytest.mark.parametrize("program", WAYS[2:])
def test_code_that_breaks_half_way_leaves_both_serving(
    program: Program | None, tmp_path: Path
) -> None:
    """A slot that was replaced before keeps the new code, the next one the old."""
    site = Site(tmp_path)
    with running(**site.fields(program, **AT_ONCE)) as stack, flow(stack) as fleet:
        log = Log(stack)
        log.wait_for("ready", SLOTS)
        site.publish("2")
        stack.reload()
        log.wait_for("ready", SLOTS + 1)
        site.spoil(BROKEN)
        assert wait_for_end(stack, "reload").kind == "not_reloaded"
        assert sorted(worker.generation for worker in stack.workers()) == [1, 2]
        answer_more(fleet, 2 * BUSY)
        totals = fleet.let_go(60.0)
    check_nothing_lost(site, totals)
    assert set(totals.tally) == {"1", "2"}


@pytest.mark.parametrize("program", WAYS[1:2])
def test_two_reloads_at_once_bring_the_newest_code(program: Program | None, tmp_path: Path) -> None:
    """The second one also replaces what the first one has brought, and both end as one."""
    site = Site(tmp_path)
    with running(**site.fields(program)) as stack, flow(stack) as fleet:
        log = Log(stack)
        log.wait_for("ready", SLOTS)
        site.publish("2")
        stack.reload()
        log.wait_for("ready", SLOTS + 1)
        site.publish("3")
        stack.reload()
        assert wait_for_end(stack, "reload").kind == "reloaded"
        assert len(told(stack, "reloading")) == 2
        before = answer_more(fleet, BUSY).tally
        answer_more(fleet, BUSY)
        totals = fleet.let_go(60.0)
        assert len(told(stack, "reloaded", "not_reloaded")) == 1
    check_nothing_lost(site, totals)
    assert [totals.tally.get(old) for old in "12"] == [before.get(old) for old in "12"]
    assert totals.tally["3"] > before["3"]


@pytest.mark.parametrize("program", PROGRAMS[1:])
def test_the_edge_dies_amid_a_reload(program: Program, tmp_path: Path) -> None:
    """What the edge held is lost, each client's request once at most; the reload goes on."""
    site = Site(tmp_path)
    with running(**site.fields(program, **AT_ONCE)) as stack, flow(stack) as fleet:
        site.publish("2")
        stack.reload()
        Log(stack).wait_for("ready", SLOTS + 1)
        killed = next(e.pid for e in stack.edge_events() if e.kind == "edge_started")
        os.kill(killed, signal.SIGKILL)
        wait_until(lambda: [e.kind for e in stack.edge_events()].count("edge_ready") > 1)
        assert wait_for_end(stack, "reload").kind == "reloaded"
        old = answer_more(fleet, BUSY).tally["1"]
        answer_more(fleet, BUSY)
        totals = fleet.let_go(60.0)
    check_accounts(totals)
    assert 0 < totals.failed <= BUSY
    assert totals.unfinished == 0
    assert (set(totals.tally), totals.tally["1"]) == ({"1", "2"}, old)
    assert set(site.begun().values()) == {1}


@pytest.mark.parametrize("lot", range(DRAWN))
def test_signals_at_any_moment_of_a_reload(lot: int, seed: int, mark: str) -> None:
    """HUP, TERM and INT in any order: only a second TERM loses requests, and nothing is left."""
    check_signalled(random.Random(f"{seed} signals {lot}"), mark)
