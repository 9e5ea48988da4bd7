"""What is decided for a stack that is reloaded and scaled: plain values and random histories."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from holdfast.policy.decide import (
    Action,
    Kill,
    Replace,
    Seen,
    Stop,
    Wanted,
    decide,
)
from holdfast.policy.slots import LIVE, Happening, Slot, State, after, killed, restored
from tests.policy.world import World

READY = State.READY


def wanted(slots: int, *outdated: tuple[int, int], drains: int = 1) -> Wanted:
    return Wanted(slots, 30.0, 10.0, outdated=frozenset(outdated), drains=drains)


def test_outdated_workers_are_replaced_one_at_a_time() -> None:
    """The next one waits until the successor of the one before answers."""
    slots = (Slot(0, READY, 1), Slot(1, READY, 1))
    both = wanted(2, (0, 1), (1, 1), drains=2)
    assert decide(both, Seen(slots, True), 1.0) == (Replace(0),)
    starting = (Slot(0, State.STARTING, 2, since_s=1.0), slots[1])
    assert decide(both, Seen(starting, True, (slots[0],)), 2.0) == ()
    draining = Slot(0, State.DRAINING, 1, since_s=3.0)
    answered = Seen((Slot(0, READY, 2), slots[1]), True, (draining,))
    assert decide(both, answered, 3.0) == (Replace(1),)


def test_only_so_many_drain_at_once() -> None:
    """Where the plan has memory for one, the second replacement waits until the first has ended."""
    slots = (Slot(0, READY, 2), Slot(1, READY, 1))
    one = wanted(2, (0, 1), (1, 1))
    draining = Slot(0, State.DRAINING, 1, since_s=3.0)
    assert decide(one, Seen(slots, True, (draining,)), 3.0) == ()
    assert decide(one, Seen(slots, True), 4.0) == (Replace(1),)


def test_a_slot_that_is_wanted_again_gets_a_worker_at_once() -> None:
    """Scaled down and up again, it does not wait until its former worker has drained."""
    slots = (Slot(0, READY, 1), Slot(1, State.DRAINING, 1, since_s=3.0))
    assert decide(wanted(2), Seen(slots, True), 4.0) == (Replace(1),)


def test_a_slot_is_not_replaced_while_it_is_given_up() -> None:
    """Where fewer slots are wanted, the outdated worker of one above only drains."""
    slots = (Slot(0, READY, 1), Slot(1, READY, 1))
    assert decide(wanted(1, (1, 1)), Seen(slots, True), 4.0) == (Stop(1),)


def test_a_former_worker_has_its_slot_again() -> None:
    """When its successor dies early, and the generation that failed is not given again."""
    former = Slot(0, READY, 1, since_s=1.0, failures=0)
    failed = after(former, Happening.REPLACE, 5.0)
    assert (failed.state, failed.generation) == (State.STARTING, 2)
    again = restored(former, failed)
    assert (again.state, again.generation, again.since_s, again.newest) == (READY, 1, 1.0, 2)
    assert after(again, Happening.REPLACE, 6.0).generation == 3


class Operated(World):
    """A stack that serves, with second workers beside first ones."""

    def __init__(self, slots: int, drains: int) -> None:
        super().__init__(Slot(index, READY, 1) for index in range(slots))
        self.leaving: dict[int, Slot] = {}
        self.outdated: set[tuple[int, int]] = set()
        self.count, self.drains = slots, drains

    def wanted(self) -> Wanted:
        return Wanted(
            *(self.count, 5.0, 3.0),
            at_once=2,
            outdated=frozenset(self.outdated),
            drains=self.drains,
        )

    def seen(self) -> Seen:
        return Seen(tuple(self.slots), True, tuple(self.leaving.values()))

    def reload(self) -> None:
        live = (slot for slot in self.slots if slot.state in {READY, State.STARTING})
        self.outdated |= {(slot.index, slot.generation) for slot in live}

    def scale(self, count: int) -> None:
        self.slots += [Slot(index) for index in range(len(self.slots), count)]
        self.count = count

    def decided(self) -> tuple[Action, ...]:
        return decide(self.wanted(), self.seen(), self.now_s)

    def act(self, action: Action) -> None:
        match action:
            case Replace(slot=index):
                assert index not in self.leaving
                self.leaving[index] = self.slots[index]
                self.happen(index, Happening.REPLACE)
            case Stop(slot=index, generation=former) if former:
                self.drain_former(index)
            case Kill(slot=index, generation=former) if former:
                self.leaving[index] = killed(self.leaving[index])
            case _:
                super().act(action)

    def drain_former(self, index: int) -> None:
        if self.leaving[index].state is READY:
            self.leaving[index] = after(self.leaving[index], Happening.STOP, self.now_s)

    def settle(self) -> None:
        super().settle()
        replaced = [at for at, slot in self.leaving.items() if slot.state is READY]
        assert len(replaced) <= 1

    def answer(self, index: int) -> None:
        if self.slots[index].state is State.STARTING and not self.slots[index].killed:
            self.happen(index, Happening.ANSWER)
            if index in self.leaving:
                self.drain_former(index)

    def die(self, index: int) -> None:
        slot, former = self.slots[index], self.leaving.get(index)
        if slot.state not in LIVE:
            return
        self.outdated.discard((index, slot.generation))
        if slot.state is State.STARTING and former is not None and former.state is READY:
            self.slots[index] = restored(former, slot)
            del self.leaving[index]
            self.outdated.clear()
        else:
            self.happen(index, Happening.DIE)

    def end_former(self, index: int) -> None:
        former = self.leaving.get(index)
        if former is not None and former.state is State.DRAINING:
            self.outdated.discard((index, former.generation))
            del self.leaving[index]

    def serving(self) -> int:
        """Slots in which somebody takes new requests."""
        former = {at for at, slot in self.leaving.items() if slot.state is READY}
        ready = {slot.index for slot in self.slots if slot.state is READY}
        return len((former | ready) & set(range(self.count)))

    def finish(self) -> None:
        """Everybody does what is expected of them, until nothing changes."""
        for _ in range(20 * len(self.slots)):
            self.settle()
            for index in range(len(self.slots)):
                self.answer(index)
                self.end_former(index)
                slot = self.slots[index]
                if slot.state is State.DRAINING or slot.killed:
                    self.die(index)
            self.now_s += 11.0


@given(st.integers(1, 5), st.integers(1, 5), st.lists(st.integers(0, 4), max_size=40))
def test_a_reload_never_takes_a_slot_from_its_clients(
    slots: int, drains: int, order: list[int]
) -> None:
    """Whoever answers or ends first, each slot has a worker that takes requests, all the time."""
    world = Operated(slots, drains)
    world.reload()
    for index in order:
        world.settle()
        assert world.serving() == slots
        assert len(world.leaving) <= drains
        world.end_former(index % slots)
        world.answer(index % slots)
        assert world.serving() == slots
    world.finish()
    assert world.outdated == set()
    assert [(slot.state, slot.generation) for slot in world.slots] == [(READY, 2)] * slots


steps = st.lists(
    st.tuples(st.sampled_from(["reload", "scale", "answer", "die", "end"]), st.integers(0, 5)),
    max_size=60,
)


@given(st.integers(1, 4), st.integers(1, 3), steps)
def test_whatever_happens_it_ends_as_wanted(
    slots: int, drains: int, history: list[tuple[str, int]]
) -> None:
    """After reloads, scalings and deaths in any order, as many slots serve as were asked for."""
    world = Operated(slots, drains)
    for what, number in history:
        index = number % len(world.slots)
        match what:
            case "reload":
                world.reload()
            case "scale":
                world.scale(number + 1)
            case "answer":
                world.answer(index)
            case "die":
                world.die(index)
            case "end":
                world.end_former(index)
        world.now_s += 0.5
        world.settle()
    world.finish()
    states = [slot.state for slot in world.slots]
    assert states[: world.count] == [READY] * world.count
    assert set(states[world.count :]) <= {State.GONE}
    assert world.leaving == {}
    assert world.outdated == set()
