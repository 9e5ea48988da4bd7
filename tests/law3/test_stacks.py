"""Law 3: what the model says of an edge is what the real program does, written down beforehand.

The settings of every stack are drawn by the run's seed; `tests/full` draws twenty times more.
"""

from __future__ import annotations

import pytest

from tests.law3.judge import complaints
from tests.law3.measure import failures, past
from tests.law3.needs import needs, skip_without_root
from tests.law3.predictions import drawn, next_wall, raised, walls
from tests.law3.stacks import KINDS, STACKS


def test_there_are_three_stacks_of_each_kind() -> None:
    """Eight kinds of wall have three stacks or more each."""
    assert len(KINDS) == 8
    assert all(len(stacks) >= 3 for stacks in KINDS.values())


@needs
@pytest.mark.slow
@pytest.mark.parametrize("name", STACKS)
def test_the_wall_is_where_it_was_predicted(name: str, seed: int) -> None:
    """Up to `sure` nothing fails; `best` is the most ever held; the next request meets the act."""
    stack = drawn(name, seed)
    skip_without_root(stack)
    wall = walls(stack)[0]
    print(f"{name}: {stack.settings()}; {wall.record()}")
    assert wall.limit.resource == stack.wall

    assert failures(stack, wall.holds.sure) == {}
    assert complaints(stack, wall, past(stack, wall)) == []


@needs
@pytest.mark.slow
@pytest.mark.parametrize("name", STACKS)
def test_raising_the_narrowest_moves_the_wall_to_the_next(name: str, seed: int) -> None:
    """With nothing but the named setting raised, the wall that was named second is met."""
    stack = drawn(name, seed)
    skip_without_root(stack)
    named, wider = next_wall(stack), raised(stack)
    wall = walls(wider)[0]
    print(f"{name}: {wider.settings()}; {wall.record()}")
    assert (wall.limit.hop, wall.limit.resource, wall.holds) == (
        named.limit.hop,
        named.limit.resource,
        named.holds,
    )

    assert complaints(wider, wall, past(wider, wall)) == []
