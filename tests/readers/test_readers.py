"""Every reader keeps its contract on each of its cases, and gives the answer that is written."""

from __future__ import annotations

import pytest

from holdfast.readers.contract import Reader
from holdfast.testing.cases import Case
from holdfast.testing.readers import answer, check_grows, check_reader
from tests.readers.judged import cases

CASES = cases()
NAMED = [f"{reader.name}-{case.name}" for reader, case in CASES]


@pytest.mark.parametrize(("reader", "case"), CASES, ids=NAMED)
def test_a_case_is_read_as_it_says(reader: Reader, case: Case) -> None:
    """What the reader makes of the input is what stands below it."""
    assert answer(reader, case) == case.expected


@pytest.mark.slow
@pytest.mark.parametrize(("reader", "case"), CASES, ids=NAMED)
def test_a_reader_keeps_its_contract(reader: Reader, case: Case) -> None:
    """Recognised, the same twice, right places, spans that --fix can replace, cut off anywhere."""
    check_reader(reader, case)


@pytest.mark.slow
@pytest.mark.parametrize(("reader", "case"), CASES, ids=NAMED)
def test_a_reader_is_linear(reader: Reader, case: Case) -> None:
    """Twice the text takes about twice the steps."""
    check_grows(reader, case)
