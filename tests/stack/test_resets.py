"""Clients that reset amid an answer leave nothing behind; `full resets` does it 10,000 times."""

from __future__ import annotations

import pytest

from holdfast.sizing.layout import Program
from tests.stack.resets import check_resets, check_slow_readers, ways

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(("engine", "program"), ways(("uvicorn", "gevent", "tornado")))
def test_a_thousand_resets_leave_nothing(engine: str, program: Program | None) -> None:
    """No place, no descriptor and no memory is lost, and the next client is served."""
    check_resets(engine, program, 1_000)


@pytest.mark.parametrize(("engine", "program"), ways(("uvicorn", "gevent", "tornado")))
def test_clients_that_do_not_read_hold_up_nobody(engine: str, program: Program | None) -> None:
    """Beside those that ask for a large answer and read none of it others are served at once."""
    check_slow_readers(engine, program)
