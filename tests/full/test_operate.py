"""Scale and kill at 20,000 in flight: counts are asserted, figures printed.

`scripts/bench operate` keeps them in a file.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.edges import PROGRAMS
from tests.full.operated import OTHERS, SHARE, check_lossless, killed, scaled, show

pytestmark = pytest.mark.full

LOAD = OTHERS.part(SHARE)
FEW, MANY = 4, 8
REPLACED_S = 3.0
"""Within which a killed worker's successor has to serve."""
WAYS = [pytest.param("none", id="direct"), *PROGRAMS]


@pytest.mark.parametrize("program", WAYS)
def test_twenty_thousand_are_scaled(program: str, tmp_path: Path) -> None:
    """From four workers to eight, once all of them are asked, and back: no request fails."""
    row = scaled(tmp_path, "uvicorn", program, LOAD, FEW, MANY)
    check_lossless(row)
    assert (row["up"]["end"], row["down"]["end"], row["down"]["cut"]) == ("scaled", "scaled", 0)


@pytest.mark.parametrize("program", WAYS)
def test_one_of_twenty_thousands_workers_is_killed(program: str, tmp_path: Path) -> None:
    """What fails was inside it, or had come to it unread; another serves within the time."""
    row = killed(tmp_path, "uvicorn", program, LOAD)
    show(row)
    unread = row["sent"] - row["begun"]
    assert 0 < row["inside"] <= row["failed"] <= row["inside"] + unread
    assert (row["unfinished"], row["twice"]) == (0, 0)
    assert row["serving_s"] <= REPLACED_S
