"""New code at 50,000 in flight, through each edge: counts are asserted, figures printed.

The app waits and does nothing else: 2,500 answers a second have to fit beside their clients
and the edge into two cores. `scripts/bench operate` keeps the figures in a file.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.edges import PROGRAMS
from tests.full.operated import check_reload

pytestmark = pytest.mark.full


@pytest.mark.parametrize("program", PROGRAMS)
def test_fifty_thousand_are_reloaded(program: str, tmp_path: Path) -> None:
    """Nothing is lost and nothing twice, within the stated time and memory."""
    check_reload(tmp_path, "uvicorn", program)
