"""The figures of law 3 in docs/law-3.md: enough runs, and said by the model as it is now."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from tests.law3.engines import ENGINE_STACKS
from tests.law3.needs import needs
from tests.law3.predictions import drawn, next_wall, walls
from tests.law3.stacks import STACKS, version

RESULTS = Path(__file__).parents[2] / "bench/results"
RUNS, BUSY = 20, 5


def raw(name: str) -> dict[str, Any]:
    """Return the raw result of that name."""
    found: dict[str, Any] = json.loads((RESULTS / name).read_text())
    return found


@pytest.mark.parametrize(
    ("name", "stacks"), [("law-3.json", STACKS), ("law-3-engines.json", ENGINE_STACKS)]
)
def test_each_stack_was_run_often_enough(name: str, stacks: Iterable[str]) -> None:
    """Every stack has twenty runs, five of them on a busy machine, and none broke the law."""
    result = raw(name)
    every = Counter(run["stack"] for run in result["runs"])
    busy = Counter(run["stack"] for run in result["runs"] if run["busy"])
    assert every == dict.fromkeys(stacks, RUNS)
    assert busy == dict.fromkeys(stacks, BUSY)
    assert [run["broken"] for run in result["runs"] if run["broken"]] == []


@needs
@pytest.mark.slow
def test_the_model_still_says_what_was_measured() -> None:
    """What was written down before each run is what the model says today of the same draw."""
    result = raw("law-3.json")
    for program in ("nginx", "haproxy"):
        if not result["versions"][program].startswith(version(program)):
            pytest.skip(f"measured with {program} {result['versions'][program]}")
    for run in result["runs"]:
        stack = drawn(run["stack"], run["seed"])
        said = (stack.settings(), walls(stack)[0].record(), next_wall(stack).record())
        assert said == (run["settings"], run["predicted"], run["next"])
