"""How evenly requests in flight are spread over the workers while they come and go."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from holdfast.load.fleet import Fleet
from holdfast.stack.process import StackProcess
from tests.edges import INSTALLED
from tests.helpers import wait_until
from tests.load.servers import load_plan
from tests.stack.driving import BUSY, Log, running
from tests.stack.edges import SLOTS, behind

pytestmark = pytest.mark.slow

WAIT = str(Path(__file__).parents[2] / "examples" / "wait")
MOST = 1.05
"""The fullest worker beside the mean: the issue's own figure."""
FULL = 0.97 * BUSY
"""Clients that have just been answered are not in flight."""


def edge(program: Any, nofile: int, processes: int) -> Any:
    skip = pytest.mark.skipif(not INSTALLED[program], reason=f"{program} is not installed")
    return pytest.param(program, nofile, processes, marks=skip, id=f"{program} of {processes}")


def fullest(stack: StackProcess, fleet: Fleet, answers: int) -> float:
    """The largest share of one worker, in parts of the mean, seen until so many are answered."""
    end, shares = fleet.read().answered + answers, []

    def enough() -> bool:
        held = [row.started - row.finished for row in stack.gauge.read()]
        if sum(held) >= FULL:
            shares.append(max(held) * len(held) / sum(held))
        return fleet.read().answered >= end

    wait_until(enough)
    return max(shares)


@pytest.mark.parametrize(
    ("program", "nofile", "processes"),
    [
        edge("nginx", 20_000, 2),
        edge("haproxy", 1_500, 4),
    ],
)
def test_workers_are_level_and_level_out_again(program: Any, nofile: int, processes: int) -> None:
    """At 2,000 of lognormal times the fullest has at most 1.05 of the mean, before and after one
    worker is replaced.
    """
    env = {"WAIT_MEAN_S": "1", "WAIT_SIGMA": "0.5"}
    fields = {"app": "wait:app", "app_dir": WAIT, "env": env, **behind(program, nofile=nofile)}
    assert fields["edge"].hop.processes >= processes
    with (
        running(**fields, grace_s=60.0) as stack,
        Fleet(load_plan(stack.port, path="/", clients=BUSY, processes=1)) as fleet,
    ):
        fleet.start()
        fleet.allow(BUSY, 0)
        wait_until(lambda: stack.gauge.in_flight() >= FULL)
        assert fullest(stack, fleet, 2 * BUSY) <= MOST
        stack.replace(0)
        Log(stack).wait_for("stopped")
        assert len(stack.gauge.read()) == SLOTS
        assert fullest(stack, fleet, 2 * BUSY) <= MOST
