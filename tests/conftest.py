"""Fixtures of every room, and the seed. A test that draws lots draws them from `seed`."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import settings

from tests import helpers

# Timings are not asserted: a busy machine makes an example slow, not wrong.
settings.register_profile("holdfast", deadline=None, print_blob=True)
settings.load_profile("holdfast")

SEED = int(os.environ.get("HOLDFAST_SEED", "0"))


ALONE = ("tests/cli/", "tests/proof/")
"""Where tests judge a run, which other load makes void, or change the machine's settings."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the slow tests of those folders `alone`, but for those that say `beside`.

    Files with many slow tests go first, so that files which run beside each other end together.
    """
    slow: Counter[Path] = Counter()
    for item in items:
        if not item.get_closest_marker("slow"):
            continue
        if item.nodeid.startswith(ALONE) and not item.get_closest_marker("beside"):
            item.add_marker(pytest.mark.alone)
        slow[item.path] += not item.get_closest_marker("alone")
    items.sort(key=lambda item: -slow[item.path])


def pytest_report_header() -> str:
    return f"HOLDFAST_SEED={SEED}"


@pytest.fixture
def seed() -> int:
    """Return the number that this run draws lots from: HOLDFAST_SEED, or 0."""
    return SEED


@pytest.fixture
def free_port() -> int:
    """Return a TCP port that is free on 127.0.0.1 just now."""
    return helpers.free_port()
