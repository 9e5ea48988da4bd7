"""10,000 clients that reset amid an answer, on each engine and behind each edge."""

from __future__ import annotations

import pytest

from holdfast.sizing.layout import Program
from holdfast.wire import ENGINES
from tests.stack.resets import check_resets, ways

pytestmark = pytest.mark.full


@pytest.mark.parametrize(("engine", "program"), ways(tuple(ENGINES)))
def test_ten_thousand_resets_leave_nothing(engine: str, program: Program | None) -> None:
    """No place, no descriptor and no memory is lost, and the next client is served."""
    check_resets(engine, program, 10_000)
