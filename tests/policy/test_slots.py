"""The table of slot states, and the arithmetic of backing off, with plain values."""

from __future__ import annotations

import pytest

from holdfast.policy.decide import Kill, Seen, Wanted, decide
from holdfast.policy.slots import (
    LIVE,
    RESET_S,
    TABLE,
    Happening,
    Slot,
    State,
    after,
    delay_s,
    excused,
)


def test_the_table_reaches_every_state() -> None:
    """From an empty slot every state can be reached."""
    reached = {State.EMPTY}
    for _ in State:
        reached |= {to for (state, _), to in TABLE.items() if state in reached}
    assert reached == set(State)


def test_only_a_start_makes_a_slot_live() -> None:
    """A slot without a worker gets one by a start, and loses it only by a death."""
    for (state, happening), to in TABLE.items():
        if state in LIVE and to not in LIVE:
            assert happening is Happening.DIE
        if state not in LIVE and to in LIVE:
            assert happening is Happening.START


def test_every_live_state_can_die_and_be_stopped() -> None:
    """There is no live state in which a death has no meaning, and none but draining to stop."""
    for state in LIVE:
        assert (state, Happening.DIE) in TABLE
        assert (state, Happening.STOP) in TABLE or state is State.DRAINING


def test_what_the_table_lacks_cannot_happen() -> None:
    """A happening that the table does not list for a state is a defect, and raises."""
    with pytest.raises(KeyError):
        after(Slot(0), Happening.ANSWER, 0.0)


def test_a_start_makes_a_new_generation() -> None:
    """Each worker of a slot has a generation of its own, counted from 1."""
    first = after(Slot(0), Happening.START, 1.0)
    second = after(after(first, Happening.DIE, 2.0), Happening.START, 3.0)
    assert (first.generation, second.generation) == (1, 2)


def test_delays_double_up_to_ten_seconds() -> None:
    """The first replacement comes at once, then 0.5 s doubling, never more than 10 s."""
    assert [delay_s(n) for n in range(1, 9)] == [0, 0.5, 1, 2, 4, 8, 10, 10]
    assert delay_s(10**6) == 10
    assert [delay_s(n, 1.0) for n in range(1, 6)] == [0, 0.5, 1, 1, 1]


def test_long_service_starts_the_failures_afresh() -> None:
    """A worker that served for 30 s is replaced at once when it dies, whatever came before."""
    ready = Slot(0, State.READY, generation=7, since_s=100.0, failures=6)
    short = after(ready, Happening.DIE, 100.0 + RESET_S - 1)
    long = after(ready, Happening.DIE, 100.0 + RESET_S)
    assert (short.failures, short.due_s) == (7, 100.0 + RESET_S - 1 + 10)
    assert (long.failures, long.due_s) == (1, 100.0 + RESET_S)


@pytest.mark.parametrize("state", [State.STARTING, State.DRAINING])
def test_who_was_not_looked_after_has_as_much_longer(state: State) -> None:
    """A start or a drain that was in time before a standstill of the supervisor is so after it."""
    wanted = Wanted(slots=1, grace_s=5.0, start_s=8.0)
    before = Slot(0, state, generation=1, since_s=100.0)
    assert Kill(0) in decide(wanted, Seen((before,), served=True), 111.0)
    later = excused(before, 10.0, 111.0)
    assert Kill(0) not in decide(wanted, Seen((later,), served=True), 111.0)
    assert Kill(0) in decide(wanted, Seen((later,), served=True), 118.0)


def test_a_standstill_moves_nothing_past_now_and_nobody_who_serves() -> None:
    """What began as it ended began then, and how long a worker has served is as it was."""
    late = Slot(0, State.DRAINING, since_s=109.0)
    assert excused(late, 10.0, 111.0).since_s == 111.0
    for state in State:
        if state not in {State.STARTING, State.DRAINING}:
            slot = Slot(0, state, since_s=100.0, due_s=105.0)
            assert excused(slot, 10.0, 111.0) == slot
