"""Bad luck at 2,000 in flight, as long as it lasts and in every pair of edge and engine.

What `scripts/test` tries in some pairs, or for less time, is tried here in all of them.
"""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from holdfast.model.care import Care
from holdfast.model.scale import Scale
from holdfast.policy.care import FIRST_S
from holdfast.sizing.layout import Program
from holdfast.wire import ENGINES
from tests.edges import PROGRAMS
from tests.stack import test_kills, test_reload, test_scale
from tests.stack.driving import BUSY, Log, running
from tests.stack.edges import SLOTS, behind
from tests.stack.engines import fields as of_engine
from tests.stack.engines import room
from tests.stack.operating import (
    EVERY,
    WAYS,
    Site,
    answer_more,
    check_nothing_lost,
    flow,
    told,
    wait_for_end,
)
from tests.stack.signalled import check_signalled
from tests.stack.standing import let_pass, standing_still

pytestmark = pytest.mark.full

DRAWN = 100
STILL_S = 10.0
START_S, DEAF_S = 8.0, 4.0
"""What a worker has to start and to answer: less than it stands still."""


@pytest.mark.parametrize(("program", "engine"), EVERY)
def test_a_worker_stands_still_for_ten_seconds(
    program: Program | None, engine: str, tmp_path: Path
) -> None:
    """What it holds and what comes to it waits; nothing is lost, and it stays."""
    site = Site(tmp_path, engine)
    with running(**site.fields(program)) as stack, flow(stack) as fleet:
        log = Log(stack)
        with standing_still(stack.workers()[0].pid):
            let_pass(STILL_S)
        answer_more(fleet, 2 * BUSY)
        totals = fleet.let_go(60.0)
        assert log.of("outdated") == log.of("died") == log.of("cut") == []
        assert [worker.generation for worker in stack.workers()] == [1] * SLOTS
    check_nothing_lost(site, totals)


@pytest.mark.parametrize("whole", [False, True], ids=["supervisor", "everything"])
@pytest.mark.parametrize("program", WAYS)
def test_a_supervisor_stands_still_amid_a_reload(
    program: Program | None, whole: bool, tmp_path: Path
) -> None:
    """Alone or with all that it has started, as on a machine that is paused: the reload goes on,
    nobody is killed for what was late, and nothing is lost."""
    site = Site(tmp_path)
    patience: dict[str, Any] = {"start_s": START_S, "care": Care(deaf=DEAF_S), "drains": 1}
    with running(**site.fields(program, **patience)) as stack, flow(stack) as fleet:
        log = Log(stack)
        site.publish("2")
        stack.reload()
        log.wait_for("started", SLOTS + 1)
        with standing_still(stack.supervisor_pid, whole=whole):
            let_pass(STILL_S)
        assert wait_for_end(stack, "reload").kind == "reloaded"
        answer_more(fleet, 2 * BUSY)
        totals = fleet.let_go(60.0)
        assert log.of("outdated") == log.of("died") == log.of("cut") == []
        assert [event.status for event in log.of("stopped")] == [0] * SLOTS
    check_nothing_lost(site, totals)
    assert set(totals.tally) == {"1", "2"}


def test_a_scaling_by_itself_that_failed_is_tried_again(tmp_path: Path) -> None:
    """New workers do not start: the old one serves on, and once the code is mended they do."""
    site = Site(tmp_path)
    scale = Scale(most=SLOTS, up_after=2.0, lag=0.0, wait=0.0)
    told_so: dict[str, Any] = {"slots": 1, "most": SLOTS, "in_flight": BUSY, "scale": scale}
    with running(**site.fields(**told_so)) as stack:
        site.spoil(test_reload.BROKEN)
        with flow(stack, BUSY * 9 // 10) as fleet:
            kept = wait_for_end(stack, "scale")
            assert (kept.kind, kept.slots) == ("not_scaled", 1)
            assert "new and broken" in kept.text
            site.mend()
            assert wait_for_end(stack, "scale", 2).kind == "scaled"
            first, second = told(stack, "chosen")
            assert second.at_s - first.at_s > FIRST_S
            answer_more(fleet, BUSY)
            totals = fleet.let_go(60.0)
        assert [worker.slot for worker in stack.workers()] == list(range(SLOTS))
    check_nothing_lost(site, totals)


@pytest.mark.parametrize("program", WAYS)
@pytest.mark.parametrize("engine", ENGINES)
def test_a_killed_supervisor_leaves_its_place_free(
    engine: str, program: Program | None, mark: str, short_path: Path
) -> None:
    """Whatever the engine: nothing lives after 2 s, and a stack starts at once in its place."""
    fields = of_engine(engine)
    if program is not None:
        fields |= behind(program)
    test_kills.check_place_is_free(fields, room(engine), mark, short_path, times=1)


@pytest.mark.parametrize(("program", "engine"), EVERY)
def test_a_killed_worker_loses_what_was_inside_it(
    program: Program | None, engine: str, tmp_path: Path
) -> None:
    """Each request that failed was in it, or had come to it unread; another worker takes over."""
    test_kills.test_a_killed_worker_loses_what_was_inside_it(program, engine, tmp_path)


@pytest.mark.parametrize("program", WAYS)
@pytest.mark.parametrize(
    ("code", "says"),
    [(test_reload.BROKEN, "new and broken"), (test_reload.HANGING, "new and slow")],
    ids=["broken", "slow"],
)
def test_code_that_does_not_start_changes_nothing(
    program: Program | None, code: str, says: str, tmp_path: Path
) -> None:
    """Its last output is told and the old code serves on; once it is mended it is taken."""
    test_reload.test_code_that_does_not_start_changes_nothing(program, code, says, tmp_path)


@pytest.mark.parametrize("program", WAYS)
def test_code_that_breaks_half_way_leaves_both_serving(
    program: Program | None, tmp_path: Path
) -> None:
    """A slot that was replaced before keeps the new code, the next one the old."""
    test_reload.test_code_that_breaks_half_way_leaves_both_serving(program, tmp_path)


@pytest.mark.parametrize("program", WAYS)
def test_two_reloads_at_once_bring_the_newest_code(program: Program | None, tmp_path: Path) -> None:
    """The second one also replaces what the first one has brought, and both end as one."""
    test_reload.test_two_reloads_at_once_bring_the_newest_code(program, tmp_path)


@pytest.mark.parametrize("program", WAYS[1:])
def test_the_edge_dies_amid_a_reload(program: Program, tmp_path: Path) -> None:
    """What the edge held is lost, each client's request once at most; the reload goes on."""
    test_reload.test_the_edge_dies_amid_a_reload(program, tmp_path)


@pytest.mark.parametrize("program", WAYS)
def test_a_full_pids_cgroup_lets_no_worker_start(program: Program | None, tmp_path: Path) -> None:
    """Neither to be more nor to be new: the stack serves on as it was, and later takes both."""
    test_scale.test_a_full_pids_cgroup_lets_no_worker_start(program, tmp_path)


@pytest.mark.parametrize("program", PROGRAMS)
def test_up_and_down_with_all_that_are_planned_for(program: Program, tmp_path: Path) -> None:
    """Requests that end together and begin together again find the new workers, and the old."""
    test_scale.check_up_and_down(program, tmp_path, 2 * test_scale.TURNS)


@pytest.mark.parametrize("lot", range(DRAWN))
def test_signals_at_any_moment_of_a_reload(lot: int, seed: int, mark: str) -> None:
    """HUP, TERM and INT in any order: only a second TERM loses requests, and nothing is left."""
    check_signalled(random.Random(f"{seed} signals {lot}"), mark)
