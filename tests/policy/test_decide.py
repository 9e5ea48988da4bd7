"""What is decided for slots, with plain values and with random histories."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from holdfast.policy.decide import (
    LAST_CALL_S,
    Action,
    GiveUp,
    Kill,
    Seen,
    Start,
    Stop,
    Wanted,
    decide,
    next_s,
)
from holdfast.policy.slots import LIVE, Happening, Slot, State, after, killed
from tests.policy.world import World

WANTED = Wanted(slots=2, grace_s=30.0, start_s=10.0)
NOTHING = Wanted(slots=0, grace_s=30.0, start_s=10.0)


def seen(*slots: Slot, served: bool = True) -> Seen:
    return Seen(slots, served)


def test_empty_slots_are_started() -> None:
    """A new stack starts the first generation in every slot."""
    assert decide(WANTED, seen(Slot(0), Slot(1), served=False), 5.0) == (Start(0, 1), Start(1, 1))


def test_only_so_many_start_at_once() -> None:
    """Workers that are starting count against the number that may start at the same time."""
    wanted = Wanted(slots=4, grace_s=30, start_s=10, at_once=2)
    starting = Slot(0, State.STARTING, 1, since_s=5.0)
    slots = seen(starting, Slot(1), Slot(2), Slot(3), served=False)
    assert decide(wanted, slots, 6.0) == (Start(1, 1),)


def test_a_backing_off_slot_waits_until_it_is_due() -> None:
    """Nothing is done before the backoff is over, and then the next generation is started."""
    slots = seen(Slot(0, State.READY, 1), Slot(1, State.BACKOFF, 3, failures=3, due_s=8.0))
    assert decide(WANTED, slots, 7.9) == ()
    assert next_s(WANTED, slots, 7.9) == 8.0
    assert decide(WANTED, slots, 8.0) == (Start(1, 4),)


def test_a_worker_that_never_gets_ready_is_killed_once() -> None:
    """A start that takes too long is killed, and not twice."""
    slow = Slot(0, State.STARTING, 2, since_s=5.0)
    ready = Slot(1, State.READY, 1)
    assert decide(WANTED, seen(slow, ready), 14.9) == ()
    assert decide(WANTED, seen(slow, ready), 15.0) == (Kill(0),)
    assert decide(WANTED, seen(killed(slow), ready), 16.0) == ()


def test_a_first_start_that_fails_is_given_up() -> None:
    """A worker that dies before the stack has ever served ends the whole start."""
    slots = seen(Slot(0, State.READY, 1), Slot(1, State.BACKOFF, 1, failures=1), served=False)
    (action,) = decide(WANTED, slots, 1.0)
    assert isinstance(action, GiveUp)
    assert "slot 1" in action.reason


def test_a_former_worker_is_let_be_until_it_drains_too_long() -> None:
    """While its successor starts it serves on; told to drain, it has the grace time."""
    slots = (Slot(0, State.STARTING, 2, since_s=5.0), Slot(1, State.READY, 1))
    serving = Slot(0, State.READY, 1)
    assert decide(WANTED, Seen(slots, True, (serving,)), 9.0) == ()
    draining = after(serving, Happening.STOP, 6.0)
    overdue_s = 6.0 + WANTED.grace_s + LAST_CALL_S
    ready = (Slot(0, State.READY, 2), Slot(1, State.READY, 1))
    assert decide(WANTED, Seen(ready, True, (draining,)), overdue_s - 0.1) == ()
    assert next_s(WANTED, Seen(ready, True, (draining,)), 7.0) == overdue_s
    assert decide(WANTED, Seen(ready, True, (draining,)), overdue_s) == (Kill(0, 1),)
    assert decide(WANTED, Seen(ready, True, (killed(draining),)), overdue_s) == ()


def test_a_stop_drains_both_generations() -> None:
    """Where a slot is being replaced, a stop lets both of its workers finish."""
    now = Seen((Slot(0, State.STARTING, 2),), True, (Slot(0, State.READY, 1),))
    assert decide(NOTHING, now, 1.0) == (Stop(0), Stop(0, 1))


def test_a_later_start_that_fails_is_tried_again() -> None:
    """Once the stack has served, a worker that dies while it starts is replaced."""
    slots = seen(Slot(0, State.READY, 1), Slot(1, State.BACKOFF, 2, failures=1, due_s=1.0))
    assert decide(WANTED, slots, 1.0) == (Start(1, 3),)


def test_stopping_drains_workers_and_lets_go_of_empty_slots() -> None:
    """Wanting no slots stops each of them, whatever its state."""
    slots = seen(
        Slot(0),
        Slot(1, State.STARTING, 1),
        Slot(2, State.READY, 1),
        Slot(3, State.BACKOFF, 1),
        Slot(4, State.DRAINING, 1),
        Slot(5, State.GONE, 1),
    )
    assert decide(NOTHING, slots, 1.0) == (Stop(0), Stop(1), Stop(2), Stop(3))


def test_a_smaller_stack_drains_its_last_slots() -> None:
    """Wanting one slot of two stops the second only."""
    slots = seen(Slot(0, State.READY, 1), Slot(1, State.READY, 1))
    assert decide(Wanted(slots=1, grace_s=30, start_s=10), slots, 1.0) == (Stop(1),)


def test_draining_ends_after_the_grace_time() -> None:
    """A draining worker is killed after the grace time and its last call."""
    slots = seen(Slot(0, State.DRAINING, 1, since_s=100.0))
    end_s = 100.0 + NOTHING.grace_s + LAST_CALL_S
    assert decide(NOTHING, slots, end_s - 0.1) == ()
    assert next_s(NOTHING, slots, end_s - 0.1) == end_s
    assert decide(NOTHING, slots, end_s) == (Kill(0),)


def test_hurry_kills_what_drains() -> None:
    """In a hurry nothing is waited for."""
    hurry = Wanted(slots=0, grace_s=30.0, start_s=10.0, hurry=True)
    assert decide(hurry, seen(Slot(0, State.DRAINING, 1, since_s=5.0)), 5.0) == (Kill(0),)


class Started(World):
    """A stack that starts, and what must never happen in it."""

    def __init__(self, slots: int) -> None:
        super().__init__(Slot(index) for index in range(slots))
        self.served = False
        self.wanted = Wanted(slots=slots, grace_s=5.0, start_s=3.0, at_once=2)

    def decided(self) -> tuple[Action, ...]:
        return decide(self.wanted, Seen(tuple(self.slots), self.served), self.now_s)

    def act(self, action: Action) -> None:
        if isinstance(action, GiveUp):
            self.wanted = Wanted(slots=0, grace_s=5.0, start_s=3.0, hurry=True)
        else:
            super().act(action)

    def settle(self) -> None:
        super().settle()
        assert sum(slot.state is State.STARTING for slot in self.slots) <= self.wanted.at_once
        if all(slot.state is State.READY for slot in self.slots):
            self.served = True

    def workers_move(self, index: int, answers: bool) -> None:
        slot = self.slots[index]
        if slot.killed or (slot.state in LIVE and not answers):
            self.happen(index, Happening.DIE)
        elif slot.state is State.STARTING:
            self.happen(index, Happening.ANSWER)


moves = st.lists(
    st.tuples(
        st.integers(0, 2), st.booleans(), st.floats(0, 20, allow_nan=False), st.integers(0, 40)
    ),
    max_size=60,
)


@given(st.integers(1, 3), moves)
def test_no_slot_ever_has_two_workers_and_a_stop_ends_everything(
    slots: int, history: list[tuple[int, bool, float, int]]
) -> None:
    """Whatever workers do, a slot has one at most, decisions settle, and a stop ends in GONE."""
    world = Started(slots)
    world.settle()
    for index, answers, passed_s, stop in history:
        world.now_s += passed_s
        world.workers_move(index % slots, answers)
        if stop == 0:
            world.wanted = Wanted(slots=0, grace_s=5.0, start_s=3.0)
        world.settle()
    world.wanted = Wanted(slots=0, grace_s=5.0, start_s=3.0)
    for _ in range(2):
        world.settle()
        world.now_s += 5.0 + LAST_CALL_S
        world.settle()
        for slot in world.slots:
            if slot.killed:
                world.happen(slot.index, Happening.DIE)
    assert {slot.state for slot in world.slots} == {State.GONE}


@given(st.lists(st.floats(0, 29, allow_nan=False), min_size=1, max_size=20))
def test_backoff_never_shrinks_while_service_is_short(served_s: list[float]) -> None:
    """Deaths after short service wait as long as the one before, or longer."""
    slot, now_s, waited = Slot(0), 0.0, 0.0
    for service_s in served_s:
        slot = after(after(slot, Happening.START, now_s), Happening.ANSWER, now_s)
        now_s += service_s
        slot = after(slot, Happening.DIE, now_s)
        assert slot.due_s - now_s >= waited - 1e-6
        waited, now_s = slot.due_s - now_s, slot.due_s
