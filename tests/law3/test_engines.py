"""Law 3 for engines: each run with a cap by lot, direct and behind an edge, as it was said."""

from __future__ import annotations

import os
from random import Random

import pytest

from holdfast.facts.profiles import read_profiles
from holdfast.wire import ENGINES
from tests.law3.engines import EDGES, SPARE_FILES, drawn_engine, kept
from tests.law3.judge import complaints
from tests.law3.measure import failures, past
from tests.law3.needs import needs
from tests.law3.predictions import walls

pytestmark = [needs, pytest.mark.slow]


@pytest.mark.parametrize("place", ["direct", "behind an edge"])
@pytest.mark.parametrize("engine", ENGINES)
def test_an_engine_meets_the_wall_that_was_predicted(engine: str, place: str, seed: int) -> None:
    """No request of `sure` fails; past it `best` are held, and the next one meets the act."""
    where = "direct" if place == "direct" else Random(f"{seed} {engine}").choice(EDGES)
    stack = drawn_engine(f"{engine}_{where}", seed)
    wall = walls(stack)[0]
    assert (wall.limit.hop, wall.limit.resource) == ("workers", stack.wall)
    with kept(stack) as running:
        assert failures(running, wall.holds.sure) == {}
        assert complaints(running, wall, past(running, wall)) == [], stack.settings()


@pytest.mark.parametrize("engine", [name for name, row in ENGINES.items() if not row.caps])
def test_an_idle_worker_has_the_descriptors_of_its_own_that_were_said(engine: str) -> None:
    """Its row's, less those that the row adds for an app, before and after requests."""
    own = int(read_profiles()[engine]["own_descriptors"]) - SPARE_FILES
    with kept(drawn_engine(f"{engine}_direct", 0)) as running, running.started() as run:
        pids = run.processes("workers")
        assert {len(os.listdir(f"/proc/{pid}/fd")) for pid in pids} == {own}
        assert failures(running, 5) == {}
        run.wait_until_empty()
        assert {len(os.listdir(f"/proc/{pid}/fd")) for pid in pids} == {own}
