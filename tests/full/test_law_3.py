"""Law 3 over many draws of every stack: `tests/law3` runs one, the run's own, every time."""

from __future__ import annotations

import pytest

from tests.law3.engines import ENGINE_STACKS, drawn_engine, kept
from tests.law3.judge import complaints
from tests.law3.measure import failures, past
from tests.law3.needs import needs, skip_without_root
from tests.law3.predictions import drawn, walls
from tests.law3.stacks import STACKS

DRAWS = 20
ENGINE_DRAWS = 5
"""Each starts workers of ours; `scripts/bench law_3_engines` runs twenty."""

pytestmark = [pytest.mark.full, needs]


@pytest.mark.parametrize("name", STACKS)
def test_no_draw_of_a_stack_breaks_the_law(name: str, seed: int) -> None:
    """In none of twenty draws a request of `sure` fails or the wall is not the one predicted."""
    for draw in range(seed, seed + DRAWS):
        stack = drawn(name, draw)
        skip_without_root(stack)
        wall = walls(stack)[0]
        print(f"{name}, draw {draw}: {stack.settings()}; {wall.record()}")
        assert failures(stack, wall.holds.sure) == {}
        assert complaints(stack, wall, past(stack, wall)) == []


@pytest.mark.parametrize("name", ENGINE_STACKS)
def test_no_draw_of_an_engine_breaks_the_law(name: str, seed: int) -> None:
    """The same of our own workers, with each engine, direct and behind each edge."""
    for draw in range(seed, seed + ENGINE_DRAWS):
        stack = drawn_engine(name, draw)
        wall = walls(stack)[0]
        print(f"{name}, draw {draw}: {stack.settings()}; {wall.record()}")
        with kept(stack) as running:
            assert failures(running, wall.holds.sure) == {}
            assert complaints(running, wall, past(running, wall)) == []
