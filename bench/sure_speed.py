"""Measures how long it takes to know what is sure with each number of workers.

    scripts/bench sure_speed

`up` and `prove` ask for it once, before they start anything: with 1 worker, with 2, up to as many
as there may be. gthread, of which it takes the most workers, before each edge and none, for 20,000
in flight. Processor seconds, the median of ROUNDS, from empty caches; the plan itself is beside
it. Writes bench/results/sure-speed.json.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, get_args

from _rig import save

from holdfast.cli.context import Options, plan_path
from holdfast.model.chance import fits, fullest
from holdfast.sizing.layout import Program
from holdfast.sizing.operating import most_slots, sure_by_slots

APP_DIR: Final = str(Path(__file__).parent.parent / "examples" / "wait")
ENGINE, IN_FLIGHT, ROUNDS = "gthread", 20_000, 9


def taken_s(act: Callable[[], object]) -> float:
    """Processor seconds that it takes, the median of some times, each from empty caches."""
    found = []
    for _ in range(ROUNDS):
        fits.cache_clear()
        fullest.cache_clear()
        begun_s = time.process_time()
        act()
        found.append(time.process_time() - begun_s)
    return round(statistics.median(found), 4)


def row(edge: str) -> dict[str, Any]:
    """What one plan takes, and what is sure with each number of its workers."""
    options = Options("", APP_DIR, None, IN_FLIGHT, engine=ENGINE, edge=edge, here=True)
    path, demand = (planned := plan_path(options)).path, planned.demand
    most = int(most_slots(path, demand, None).number)
    return {
        "edge": edge,
        "workers": path.hop("workers").processes,
        "most": most,
        "plan_s": taken_s(lambda: plan_path(options)),
        "sure_s": taken_s(lambda: sure_by_slots(path, demand, most)),
    }


def main() -> None:
    """Measure each edge, write, and say it."""
    rows = [row(edge) for edge in ("none", *get_args(Program))]
    save("sure-speed", {"engine": ENGINE, "in_flight": IN_FLIGHT, "rounds": ROUNDS, "rows": rows})
    for each in rows:
        print("{edge}: {workers} of {most} workers, {sure_s} s; the plan {plan_s} s".format(**each))


if __name__ == "__main__":
    main()
