"""What several files of stack tests need: a mark on all that a test starts."""

from __future__ import annotations

import os
import sys

import pytest


@pytest.fixture
def mark(monkeypatch: pytest.MonkeyPatch) -> str:
    """Put a mark into the environment of everything that the test starts, and return it."""
    mark = f"mark-{os.urandom(8).hex()}"
    monkeypatch.setenv("HOLDFAST_TEST_MARK", mark)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, sys.path)))
    return mark
