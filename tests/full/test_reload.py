"""New code at 50,000 in flight, through each edge: counts are asserted, figures printed.

`scripts/bench operate` keeps the figures in a file.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.edges import PROGRAMS
from tests.full.operated import check_lossless, reloaded
from tests.stack.operating import RUN_ENGINES

pytestmark = pytest.mark.full

HELD = 50_000


@pytest.mark.parametrize("engine", RUN_ENGINES)
@pytest.mark.parametrize("program", PROGRAMS)
def test_fifty_thousand_are_reloaded(program: str, engine: str, tmp_path: Path) -> None:
    """Through each edge nothing is lost and nothing twice, within the stated time and memory."""
    row = reloaded(tmp_path, engine, program, HELD)
    check_lossless(row)
    assert (row["end"], row["cut"], row["old_afterwards"]) == ("reloaded", 0, 0)
    assert set(row["by_version"]) == {"1", "2"}
    assert row["least_in_flight"] >= HELD
    assert row["grown_bytes"] <= row["planned_bytes"]
    assert row["took_s"] <= 2 * row["p99_s"] + 30
