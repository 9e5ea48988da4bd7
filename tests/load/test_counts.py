"""What is read from a process's shared memory, with the memory written by the test."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from holdfast.load import shared
from holdfast.load.counts import LagReader, account, errors_of, first_error_of
from holdfast.load.histogram import index_of
from holdfast.load.plan import TICK_EVERY_NS
from holdfast.load.shared import Board
from holdfast.model.errors import HoldfastError


@pytest.fixture
def boards() -> Iterator[list[Board]]:
    fd = shared.create(2)
    yield [Board(fd, 0), Board(fd, 1)]
    os.close(fd)


def test_the_latest_tick_is_told_once(boards: list[Board]) -> None:
    """A reader tells the latest tick since it last looked, and what is late now if that is more."""
    board, words = boards[0], boards[0].words
    words[shared.TICK_NS] = 10_000_000_000
    reader = LagReader(board, TICK_EVERY_NS)
    for ms in (300, 2, 80):
        board.lag[index_of(ms * 1_000_000)] += 1
    assert reader.largest_s(10.0) == pytest.approx(0.3, rel=0.005)
    assert reader.largest_s(10.0) == 0
    board.lag[index_of(2_000_000)] += 1
    assert reader.largest_s(11.01) == pytest.approx(1.0)
    assert reader.largest_s(12.01) == pytest.approx(2.0)
    board.lag[index_of(80_000_000)] += 1
    assert reader.largest_s(10.0) == pytest.approx(0.08, rel=0.005)


def test_time_lost_is_what_exceeds_50_ms(boards: list[Board]) -> None:
    """Lost time is what the process counted, and what it is late now beyond 50 ms."""
    words = boards[0].words
    words[shared.TICK_NS] = 10_000_000_000
    words[shared.LAG_LOST_NS] = 2_000_000_000
    assert LagReader(boards[0], TICK_EVERY_NS).lost_s(10.05) == pytest.approx(2.0)
    assert LagReader(boards[0], TICK_EVERY_NS).lost_s(10.56) == pytest.approx(2.5)


@pytest.mark.parametrize(
    "wrong", [{"UNSENT": 4}, {"UNFINISHED": 1}, {"ANSWERED": 8}, {"SENT": 5, "UNFINISHED": 0}]
)
def test_a_request_that_is_in_no_place_is_an_error(
    boards: list[Board], wrong: dict[str, int]
) -> None:
    """Sums that do not add up are never reported as if they did."""
    counts = {"INTENDED": 12, "SENT": 9, "AGAIN": 5, "ANSWERED": 4, "REFUSED": 2, "FAILED": 1}
    counts |= {"UNSENT": 3, "UNFINISHED": 2, "DONE": 1}
    for name, number in counts.items():
        boards[0].words[getattr(shared, name)] = number
    sums = {"intended": 17, "sent": 14, "unsent": 3, "answered": 9, "failed": 1, "unfinished": 2}
    assert account(boards[0].words, 0) == sums | {"refused": 2}
    for name, number in wrong.items():
        boards[0].words[getattr(shared, name)] = number
    with pytest.raises(HoldfastError, match="process 0 lost count"):
        account(boards[0].words, 0)


def test_errors_of_all_processes_are_added_up(boards: list[Board]) -> None:
    """Faults are summed by name, most often first; the earliest error of any is the first."""
    reset = shared.FIRST_FAULT + shared.FAULT_NAMES.index("reset")
    garbage = shared.FIRST_FAULT + shared.FAULT_NAMES.index("garbage")
    boards[0].words[reset], boards[0].words[garbage], boards[1].words[garbage] = 2, 1, 3
    assert first_error_of(boards) is None
    boards[1].note_first_error(200, "second")
    boards[0].note_first_error(100, "first")
    boards[0].note_first_error(300, "third" * 1000)
    assert first_error_of(boards) == "first"
    assert list(errors_of(boards).items()) == [("garbage", 4), ("reset", 2)]
