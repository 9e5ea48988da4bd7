"""The figures of docs/audit-measured.md: enough runs, and said by the audit as it is now."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.audited.guides import GUIDES, guided
from tests.audited.needs import needs
from tests.audited.stacks import STACKS, audited
from tests.law3.stacks import version

RESULT = Path(__file__).parents[2] / "bench/results/audited.json"
RUNS, BUSY = 20, 5
FIRST = 4
"""So many draws of each are audited again: files of all of them would take a minute."""


@pytest.fixture(scope="module")
def result() -> dict[str, Any]:
    """Return the raw result."""
    found: dict[str, Any] = json.loads(RESULT.read_text())
    return found


def test_each_stack_was_run_often_enough(result: dict[str, Any]) -> None:
    """Every stack has twenty runs, five of them on a busy machine, each guide one; none broke."""
    every = Counter(run["stack"] for run in result["runs"])
    busy = Counter(run["stack"] for run in result["runs"] if run["busy"])
    assert every == {**dict.fromkeys(STACKS, RUNS), **dict.fromkeys(GUIDES, 1)}
    assert busy == dict.fromkeys(STACKS, BUSY)
    assert [run["broken"] for run in result["runs"] if run["broken"]] == []
    assert all(run["met"]["held"] for run in result["runs"])


@needs
@pytest.mark.slow
def test_the_audit_still_says_what_was_measured(result: dict[str, Any]) -> None:
    """What was written down before each run is what the audit says today of the same files."""
    for program in ("nginx", "haproxy"):
        if not result["versions"][program].startswith(version(program)):
            pytest.skip(f"measured with {program} {result['versions'][program]}")
    for run in (run for run in result["runs"] if run["seed"] < FIRST):
        name = run["stack"]
        if name in GUIDES and "--host" in GUIDES[name].options:
            continue  # that one is of the machine that it was measured on
        with guided(name) if name in GUIDES else audited(name, run["seed"]) as said:
            named = {"value": said.named.value, "setting": said.named.setting}
            assert (said.walls[0].record() | named).items() <= run["predicted"].items()
