"""What several files of stack tests need: a mark on all that a test starts."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def short_path() -> Iterator[Path]:
    """A folder for sockets, whose paths have to be short."""
    with tempfile.TemporaryDirectory(prefix="t-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@pytest.fixture
def mark(monkeypatch: pytest.MonkeyPatch) -> str:
    """Put a mark into the environment of everything that the test starts, and return it."""
    mark = f"mark-{os.urandom(8).hex()}"
    monkeypatch.setenv("HOLDFAST_TEST_MARK", mark)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, sys.path)))
    return mark
