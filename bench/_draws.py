"""What the benches of law 3 share: many draws of stacks, each predicted, written down and measured.

A run goes to the result's file as it ends; one of a stack and seed that is there already takes its
place. Knows no stack.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Collection
from contextlib import nullcontext
from pathlib import Path
from typing import Any, NamedTuple

from _rig import about, busy_core

Run = dict[str, Any]


class Draws(NamedTuple):
    """What is drawn: `stacks` by seed, those of `once` with the first seed only.

    `predict` gets a stack's name, the seed and whether a core is busy, and returns a run;
    `measure` adds to it what was met, and as `broken` how it broke the law. `head` stands in the
    result above all runs.
    """

    target: Path
    head: dict[str, Any]
    stacks: Collection[str]
    predict: Callable[[str, int, bool], Run]
    measure: Callable[[Run], None]
    once: Collection[str] = ()

    def write(self, top: dict[str, Any], runs: list[Run]) -> None:
        """Write all runs so far, one a line."""
        begin = json.dumps(top | self.head, indent=1).removesuffix("\n}")
        lines = ",\n".join(json.dumps(run) for run in runs)
        self.target.write_text(f'{begin},\n "runs": [\n{lines}\n ]\n}}\n')


def run_draws(draws: Draws, doc: str | None) -> int:
    """Predict, run and compare the stacks named, or all; 1 where one broke its law."""
    parser = argparse.ArgumentParser(description=doc)
    parser.add_argument("stacks", nargs="*", default=[*draws.stacks, *draws.once])
    parser.add_argument("--seeds", default="0-19", help="the first and the last")
    parser.add_argument("--busy", action="store_true", help="one core busy meanwhile")
    given = parser.parse_args()
    first, _, last = given.seeds.partition("-")
    runs: list[Run] = []
    if draws.target.exists():
        runs = json.loads(draws.target.read_text())["runs"]
    top, broken = about(), 0
    with busy_core() if given.busy else nullcontext():
        for seed in range(int(first), int(last or first) + 1):
            names = [name for name in given.stacks if name in draws.stacks or seed == 0]
            new = [draws.predict(name, seed, given.busy) for name in names]
            again = {(run["stack"], run["seed"]) for run in new}
            runs = [run for run in runs if (run["stack"], run["seed"]) not in again] + new
            draws.write(top, runs)
            for run in new:
                draws.measure(run)
                draws.write(top, runs)
                broken += len(run["broken"])
                for complaint in run["broken"]:
                    print(f"{run['stack']}, seed {seed}: {complaint}", flush=True)
            print(f"seed {seed}: {len(new)} stacks", flush=True)
    return int(broken > 0)
