"""What several files of command tests need: a machine whose settings may be changed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.machine import SOMAXCONN, Machine


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    """A machine whose accept queues are too short for 2,000 that all arrive at once."""
    made = Machine(tmp_path)
    try:
        made.sysctl(SOMAXCONN, "2")
        yield made
    finally:
        made.close()
