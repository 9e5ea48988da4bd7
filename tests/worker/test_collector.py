"""How often a worker's garbage collector looks, asked of an interpreter of its own."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

LOOK = (
    "import gc, json; from holdfast.worker.collector import settle; {before}; settle({requests});"
    "print(json.dumps([gc.get_threshold(), gc.get_freeze_count() > 0, gc.isenabled()]))"
)


@pytest.mark.parametrize(
    ("before", "requests", "expected"),
    [
        ("pass", 18_000, [[180_000, 5, 0], True, True]),
        ("pass", 0, [[700, 5, 0], True, True]),
        ("gc.set_threshold(5_000, 20, 20)", 18_000, [[5_000, 20, 20], False, True]),
        ("gc.disable()", 18_000, [[180_000, 5, 0], True, False]),
    ],
)
def test_the_collector_looks_in_step_with_what_is_held(
    before: str, requests: int, expected: list[object]
) -> None:
    """The threshold is the worker's share, never below Python's own; what an app set stays."""
    code = LOOK.format(before=before, requests=requests)
    said = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, check=True)
    assert json.loads(said.stdout) == expected
