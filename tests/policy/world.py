"""A world in which what is decided for slots happens at once, for random histories of them."""

from __future__ import annotations

from collections.abc import Iterable

from holdfast.policy.decide import Action, Kill, Start, Stop
from holdfast.policy.slots import LIVE, Happening, Slot, after, killed


class World:
    """Acts on decisions as the supervisor does; who knows what is wanted says what is decided."""

    def __init__(self, slots: Iterable[Slot]) -> None:
        self.now_s = 0.0
        self.slots = list(slots)

    def decided(self) -> tuple[Action, ...]:
        """What is to be done now."""
        raise NotImplementedError

    def happen(self, index: int, happening: Happening) -> None:
        """Something happens to the worker of a slot."""
        self.slots[index] = after(self.slots[index], happening, self.now_s)

    def act(self, action: Action) -> None:
        """Do it; a slot never has two workers of its own, and none of them is killed twice."""
        match action:
            case Start(slot=index, generation=generation):
                assert self.slots[index].state not in LIVE
                self.happen(index, Happening.START)
                assert self.slots[index].generation == generation
            case Stop(slot=index, generation=0):
                self.happen(index, Happening.STOP)
            case Kill(slot=index, generation=0):
                assert not self.slots[index].killed
                self.slots[index] = killed(self.slots[index])
            case _:
                raise AssertionError(f"nobody here does {action}")

    def settle(self) -> None:
        """Do what is decided until nothing is."""
        for _ in range(10 * len(self.slots) + 10):
            actions = self.decided()
            if not actions:
                return
            for action in actions:
                self.act(action)
        raise AssertionError("decisions do not settle")
