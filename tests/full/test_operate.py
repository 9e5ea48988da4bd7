"""Scale and kill at 20,000 in flight, and 100 draws of signals: counts are asserted.

The figures are printed; `scripts/bench operate` keeps them in a file.
"""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.edges import PROGRAMS
from tests.full.operated import check_lossless, killed, scaled
from tests.stack.signalled import check_signalled

pytestmark = pytest.mark.full

HELD = 20_000
FEW, MANY = 4, 8
REPLACED_S = 3.0
"""Within which a killed worker's successor serves: the issue's figure."""
WAYS = [pytest.param("none", id="direct"), *PROGRAMS]


@pytest.mark.parametrize("program", WAYS)
def test_twenty_thousand_are_scaled(program: str, tmp_path: Path) -> None:
    """From four workers to eight and back: no request fails, and each worker has its share."""
    row = scaled(tmp_path, "uvicorn", program, HELD, FEW, MANY)
    check_lossless(row)
    assert (row["up"]["end"], row["down"]["end"], row["down"]["cut"]) == ("scaled", "scaled", 0)
    assert row["asked_slots"] == list(range(MANY))


@pytest.mark.parametrize("program", WAYS)
def test_one_of_twenty_thousands_workers_is_killed(program: str, tmp_path: Path) -> None:
    """What fails was inside it, or had come to it unread; another serves within the time."""
    row = killed(tmp_path, "uvicorn", program, HELD)
    print(row)
    unread = row["sent"] - row["begun"]
    assert 0 < row["inside"] <= row["failed"] <= row["inside"] + unread
    assert (row["unfinished"], row["twice"]) == (0, 0)
    assert row["serving_s"] <= REPLACED_S


@pytest.mark.parametrize("lot", range(100))
def test_signals_at_any_moment_of_a_reload(lot: int, seed: int, mark: str) -> None:
    """HUP, TERM and INT in any order: only a second TERM loses requests, and nothing is left."""
    check_signalled(random.Random(f"{seed} signals {lot}"), mark)
