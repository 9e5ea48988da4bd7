"""Scale and kill at 20,000 in flight, and what a supervisor takes: counts are asserted.

The figures are printed; `scripts/bench operate` and `supervisor_cost` keep them in files.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from holdfast.model.care import Care
from holdfast.model.scale import Scale
from holdfast.observe.process import read_memory
from tests.edges import PROGRAMS
from tests.full.operated import OTHERS, SHARE, check_lossless, killed, scaled
from tests.stack.driving import BUSY, running
from tests.stack.operating import Site, answer_more, check_nothing_lost, flow

pytestmark = pytest.mark.full

LOAD = OTHERS.part(SHARE)
FEW, MANY = 4, 8
REPLACED_S = 3.0
"""Within which a killed worker's successor serves: the issue's figure."""
WORKERS, MOST_SHARE, MOST_BYTES = 16, 0.01, 60 * 10**6
"""Of so many workers a supervisor takes less than 1 % of a core, and 60 MB."""
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
    print(row)
    unread = row["sent"] - row["begun"]
    assert 0 < row["inside"] <= row["failed"] <= row["inside"] + unread
    assert (row["unfinished"], row["twice"]) == (0, 0)
    assert row["serving_s"] <= REPLACED_S


def test_a_supervisor_of_sixteen_workers_takes_little(tmp_path: Path) -> None:
    """It looks after them and after their number while 2,000 are in flight and answers flow."""
    site = Site(tmp_path)
    told: dict[str, Any] = {"slots": WORKERS, "in_flight": BUSY, "grace_s": 60.0}
    care = Care(max_age=86_400.0, max_requests=10**9, memory=2**30)
    scale = Scale(most=WORKERS, fewest=WORKERS)
    with running(**site.fields(care=care, scale=scale, **told)) as stack, flow(stack) as fleet:
        pid = stack.supervisor_pid
        began_s, before_s = time.monotonic(), processor_s(pid)
        answer_more(fleet, 10 * BUSY)
        share = (processor_s(pid) - before_s) / (time.monotonic() - began_s)
        taken = read_memory(pid)
        print(f"{share:.3%} of a core, {taken:,} bytes")
        assert share < MOST_SHARE
        assert 0 < taken < MOST_BYTES
        totals = fleet.let_go(60.0)
    check_nothing_lost(site, totals)


def processor_s(pid: int) -> float:
    """What a process has had of processors, as the scheduler counts it."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9
