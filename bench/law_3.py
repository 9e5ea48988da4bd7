"""Where nginx and HAProxy break, predicted and then met: every stack of `tests/law3`, many draws.

    scripts/bench law_3 [STACK ...] [--seeds 0-19] [--busy]

What the model says of each stack is written to bench/results/law-3.json before the stack is run:
its narrowest wall, and the one that is met once the setting of that is raised. Then each is held at
`sure`, pushed past its wall, and pushed past the next. A run goes to the file as it ends; one of a
stack and seed that is there already takes its place. `--busy` pins a loop to one core meanwhile.
Needs both edges, and root for the stacks that have a network of their own. Half a minute a seed.
"""

from __future__ import annotations

import sys
from typing import Any

from _draws import Draws, run_draws
from _rig import RESULTS
from tests.law3.judge import complaints
from tests.law3.measure import failures, past
from tests.law3.predictions import drawn, next_wall, raised, walls
from tests.law3.stacks import KINDS, STACKS


def predict(name: str, seed: int, busy: bool) -> dict[str, Any]:
    """What is said of a stack, before it is run."""
    stack = drawn(name, seed)
    return {
        "stack": name,
        "seed": seed,
        "busy": busy,
        "settings": stack.settings(),
        "predicted": walls(stack)[0].record(),
        "next": next_wall(stack).record(),
    }


def measure(run: dict[str, Any]) -> None:
    """Run the stack of a prediction: at `sure`, past its wall, and past the next one."""
    stack = drawn(run["stack"], run["seed"])
    wider = raised(stack)
    wall, named = walls(stack)[0], walls(wider)[0]
    try:
        run["failed_at_sure"] = failures(stack, wall.holds.sure)
        met = past(stack, wall)
        run["met"] = met.record()
        next_met = past(wider, named)
        run["next_met"] = next_met.record()
    except AssertionError as restless:
        run["broken"] = [str(restless)]
        return
    run["broken"] = [
        *(f"at sure: {fate} x {count}" for fate, count in run["failed_at_sure"].items()),
        *complaints(stack, wall, met),
        *(["raised: another wall than was named"] if named.record() != run["next"] else []),
        *(f"raised: {complaint}" for complaint in complaints(wider, named, next_met)),
    ]


def main() -> int:
    """Predict, run and compare the stacks named, or all; 1 where one broke the law."""
    stacks = {
        make.__name__.strip("_"): {"kind": kind, "shows": make.__doc__}
        for kind, makes in KINDS.items()
        for make in makes
    }
    target = RESULTS / "law-3.json"
    return run_draws(Draws(target, {"stacks": stacks}, STACKS, predict, measure), __doc__)


if __name__ == "__main__":
    sys.exit(main())
