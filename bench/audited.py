"""What the audit says of files that people write, and what their programs then hold.

    scripts/bench audited [STACK ...] [--seeds 0-19] [--busy]

Stacks are those of `tests/audited`, and the settings of guides. What `holdfast audit` says of a
stack's files is written to bench/results/audited.json before anything of it runs: the wall, the
line that makes it, and the next one. Then each is held at `sure`, pushed past its wall and, with
only the named number raised in the text, past the next; its files are mended by `--fix`, and held
at the target. Guides are run once, as they stand. A run goes to the file as it ends; one of a stack
and seed that is there already takes its place. `--busy` pins a loop to one core meanwhile. Needs
both edges, and root for a network of a stack's own. A minute and a half a seed.
"""

from __future__ import annotations

import sys
from typing import Any

from _draws import Draws, run_draws
from _rig import RESULTS
from tests.audited.audits import Said
from tests.audited.guides import GUIDES, guided, most_held
from tests.audited.mended import fixed, held, left_wrong
from tests.audited.stacks import STACKS, asked, audited, files
from tests.law3.judge import complaints
from tests.law3.measure import failures, past
from tests.law3.predictions import Wall


def record(said: Said, wall: Wall) -> dict[str, object]:
    """A wall as the result has it, with the line that is named where it is the first."""
    found = wall.record()
    if wall == said.walls[0]:
        named, place = said.named, said.named.place
        found |= {"setting": named.setting, "value": named.value}
        found |= {"file": place.file, "line": place.line} if place is not None else {}
    return found


def predict(name: str, seed: int, busy: bool) -> dict[str, Any]:
    """What is said of a stack, before it is run."""
    with guided(name) if name in GUIDES else audited(name, seed) as said:
        following = said.next_wall
        return {
            "stack": name,
            "seed": seed,
            "busy": busy,
            "settings": {k: int(v) for k, v in said.files.words.items() if v.isdigit()},
            "predicted": record(said, said.walls[0]),
            "next": None if following is None else record(said, following),
        }


def measure(run: dict[str, Any]) -> None:
    """Run the stack of a prediction, and say how it broke the law."""
    try:
        run["broken"] = _guide(run) if run["stack"] in GUIDES else [*_walls(run), *_fixed(run)]
    except AssertionError as restless:
        run["broken"] = [str(restless)]


def _walls(run: dict[str, Any]) -> list[str]:
    """At `sure`, past the wall, and past the next one."""
    name = run["stack"]
    with audited(name, run["seed"]) as said:
        wall, following = said.walls[0], said.next_wall
        run["failed_at_sure"] = failures(said, wall.holds.sure)
        met = past(said, wall)
        run["met"] = met.record()
        said.raise_named()
        wider = asked(name, said.files)
        next_met = past(wider, wider.walls[0])
        run["next_met"] = next_met.record()
        another = (
            following is not None and wider.walls[0].limit.resource != following.limit.resource
        )
        return [
            *(f"at sure: {fate} x {count}" for fate, count in run["failed_at_sure"].items()),
            *complaints(said, wall, met),
            *(["raised: another wall than was named"] if another else []),
            *(f"raised: {complaint}" for complaint in complaints(wider, wider.walls[0], next_met)),
        ]


def _fixed(run: dict[str, Any]) -> list[str]:
    """Mended by `--fix`, audited again, and held at the target."""
    stack = STACKS[run["stack"]]
    with audited(run["stack"], run["seed"]) as said:
        code, by_hand = fixed(said.files, stack)
        wrong = left_wrong(said.files, stack)
        run["fixed"] = held(said.files, stack)
    return [
        *([f"--fix: exit code {code}"] if code else []),
        *(f"--fix: left to a person: {line}" for line in by_hand),
        *(f"fixed: {finding}" for finding in wrong),
        *([f"fixed: {run['fixed']}"] if run["fixed"] != {"200": stack.target} else []),
    ]


def _guide(run: dict[str, Any]) -> list[str]:
    """A guide as it stands, past its wall; one that is left to a race holds `sure` to `best`."""
    with guided(run["stack"]) as said:
        wall = said.walls[0]
        if not GUIDES[run["stack"]].races:
            met = past(said, wall)
            run["met"] = met.record()
            return complaints(said, wall, met)
        run["met"] = most_held(said)
        sure, best, most = wall.holds.sure, wall.holds.best, run["met"]["held"]
        return [] if sure <= most <= best else [f"{most} were held, of {sure} to {best}"]


def main() -> int:
    """Predict, run and compare the stacks named, or all; 1 where one broke the law."""
    stacks = {
        name: {"shows": one.shows, "files": files(name), "target": one.target}
        for name, one in STACKS.items()
    }
    guides = {name: {"shows": one.shows, "files": one.names()} for name, one in GUIDES.items()}
    head = {"stacks": stacks, "guides": guides}
    target = RESULTS / "audited.json"
    return run_draws(Draws(target, head, STACKS, predict, measure, GUIDES), __doc__)


if __name__ == "__main__":
    sys.exit(main())
