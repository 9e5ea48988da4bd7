"""What `holdfast audit` says of files that people write is what their programs hold.

The numbers in the files are drawn by the run's seed, and everything that is expected is said by the
audit of the files before anything runs.
"""

from __future__ import annotations

import pytest

from holdfast.model.limit import Holds
from tests.audited.files import FOLDER
from tests.audited.mended import fixed, held, left_wrong
from tests.audited.needs import needs, skip_without_root
from tests.audited.stacks import STACKS, asked, audited
from tests.law3.judge import complaints
from tests.law3.measure import failures, past
from tests.law3.predictions import Wall


@needs
@pytest.mark.slow
@pytest.mark.parametrize("name", STACKS)
def test_the_line_that_is_named_stops_it_where_it_was_said(name: str, seed: int) -> None:
    """Up to `sure` nothing fails; `best` is the most ever held; the next request meets the act."""
    skip_without_root(name)
    with audited(name, seed) as said:
        print(f"{said.settings()}; {said.walls[0].record()} at {said.named.place}")
        assert said.named.setting == STACKS[name].stops
        assert said.named.place is not None
        assert failures(said, said.audit.holds.sure) == {}
        assert complaints(said, said.walls[0], past(said, said.walls[0])) == []


@needs
@pytest.mark.slow
@pytest.mark.parametrize("name", STACKS)
def test_with_that_number_raised_the_next_wall_is_met(name: str, seed: int) -> None:
    """Nothing but the named number is raised in the text; the wall that was named next is met."""
    skip_without_root(name)
    with audited(name, seed) as said:
        named = said.next_wall
        said.raise_named()
        wider = asked(name, said.files)
        wall = wider.walls[0]
        print(f"{said.settings()}; {wall.record()}")
        assert wall.holds.best > said.walls[0].holds.best
        assert named is None or _same(wall) == _same(named)
        assert complaints(wider, wall, past(wider, wall)) == []


def _same(wall: Wall) -> tuple[str, str, Holds]:
    return wall.limit.hop, wall.limit.resource, wall.holds


@needs
@pytest.mark.slow
@pytest.mark.parametrize("name", STACKS)
def test_what_is_fixed_holds_the_target(name: str, seed: int) -> None:
    """`--fix --target N` writes files that hold N for real, and of which an audit finds nothing."""
    skip_without_root(name)
    stack = STACKS[name]
    with audited(name, seed) as said:
        code, left = fixed(said.files, stack)
        assert (code, left) == (0, [])
        assert left_wrong(said.files, stack) == []
        assert held(said.files, stack) == {"200": stack.target}


def test_every_folder_is_a_stack() -> None:
    """No folder of files is left out, and there are more than twenty of them."""
    assert {folder.name for folder in FOLDER.iterdir()} == set(STACKS)
    assert len(STACKS) > 20
