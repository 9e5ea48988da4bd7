"""What a supervisor takes for itself while its workers hold 2,000 requests.

`scripts/bench supervisor_cost` keeps the figures of a minute, idle and loaded.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from holdfast.model.care import Care
from holdfast.model.scale import Scale
from holdfast.observe.process import read_memory
from tests.stack.driving import BUSY, running
from tests.stack.operating import Site, answer_more, check_nothing_lost, flow

pytestmark = pytest.mark.slow

WORKERS, MOST_SHARE, MOST_BYTES = 16, 0.01, 60 * 10**6
"""Of so many workers a supervisor may take less than 1 % of a core, and 60 MB."""


def test_a_supervisor_of_sixteen_workers_takes_little(tmp_path: Path) -> None:
    """It looks after them and after their number while answers flow, for 1 % of a core at most.

    That is no timing of this machine: what the scheduler gave it is less, and never more, where
    others want the processors too.
    """
    site = Site(tmp_path)
    told: dict[str, Any] = {"slots": WORKERS, "in_flight": BUSY}
    told["care"] = Care(max_age=86_400.0, max_requests=10**9, memory=2**30)
    told["scale"] = Scale(most=WORKERS, fewest=WORKERS)
    with running(**site.fields(**told)) as stack, flow(stack) as fleet:
        pid = stack.supervisor_pid
        began_s, before_s = time.monotonic(), processor_s(pid)
        answer_more(fleet, 3 * BUSY)
        share = (processor_s(pid) - before_s) / (time.monotonic() - began_s)
        assert 0 < share < MOST_SHARE
        assert 0 < read_memory(pid) < MOST_BYTES
        totals = fleet.let_go(60.0)
    check_nothing_lost(site, totals)


def processor_s(pid: int) -> float:
    """What all threads of a process have had of processors, as the scheduler counts it."""
    threads = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((one / "schedstat").read_text().split()[0]) for one in threads) / 1e9
