"""Differences over a run, from plain values. Runs no program."""

from __future__ import annotations

from holdfast.proof.summary import growth


def test_a_second_slow_process_does_not_hide_behind_the_first() -> None:
    """What a process lost in the hold counts, though another had lost more before it."""
    assert growth((9.0, 0.5, 0.0), (9.1, 4.5, 0.2)) == 4.0


def test_a_process_that_died_has_lost_nothing_more() -> None:
    """A dead process's time is 0 from then on, and those that live are judged by their own."""
    assert growth((9.0, 0.5), (0.0, 0.75)) == 0.25
