"""New code of gunicorn gevent at 50,000 in flight: counts are asserted, figures printed.

The app waits and does nothing else: 1,667 answers a second have to fit beside their clients
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
    """The same of the engine that serves WSGI, whose requests take half as long again."""
    check_reload(tmp_path, "gevent", program)
