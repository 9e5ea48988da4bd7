"""Where engines break, predicted and then met: every stack of `tests/law3/engines.py`, many draws.

    scripts/bench law_3_engines [STACK ...] [--seeds 0-19] [--busy]

As `law_3`, of our own workers with caps by lot, direct and behind each edge: what the model says of
the narrowest wall is written to bench/results/law-3-engines.json before the stack is run; then it
is held at `sure`, and pushed past. A minute or two a seed. Needs both edges.
"""

from __future__ import annotations

import sys
from typing import Any

from _draws import Draws, run_draws
from _rig import RESULTS
from tests.law3.engines import ENGINE_STACKS, drawn_engine, kept
from tests.law3.judge import complaints
from tests.law3.measure import failures, past
from tests.law3.predictions import walls


def predict(name: str, seed: int, busy: bool) -> dict[str, Any]:
    """What is said of a stack, before it is run."""
    stack = drawn_engine(name, seed)
    said = walls(stack)[0].record()
    about = {"stack": name, "seed": seed, "busy": busy, "settings": stack.settings()}
    return {**about, "predicted": said}


def measure(run: dict[str, Any]) -> None:
    """Run the stack of a prediction: at `sure`, and past its wall."""
    stack = drawn_engine(run["stack"], run["seed"])
    wall = walls(stack)[0]
    try:
        with kept(stack) as running:
            run["failed_at_sure"] = failures(running, wall.holds.sure)
            met = past(running, wall)
    except AssertionError as restless:
        run["broken"] = [str(restless)[:500]]
        return
    run["met"] = met.record()
    failed = (f"at sure: {fate} x {count}" for fate, count in run["failed_at_sure"].items())
    run["broken"] = [*failed, *complaints(running, wall, met)]


def main() -> int:
    """Predict, run and compare the stacks named, or all; 1 where one broke the law."""
    stacks = {
        name: dict(zip(("engine", "place"), name.split("_"), strict=True)) for name in ENGINE_STACKS
    }
    target = RESULTS / "law-3-engines.json"
    return run_draws(Draws(target, {"stacks": stacks}, ENGINE_STACKS, predict, measure), __doc__)


if __name__ == "__main__":
    sys.exit(main())
