"""What to do next with the slots of a stack: plain values in, actions out.

Knows no process and reads no clock: `now_s` is an argument, the caller acts and reports back.
"""

from __future__ import annotations

from typing import Final

import msgspec

from holdfast.policy.slots import Slot, State

LAST_CALL_S: Final = 3.0
"""A worker cuts what it still holds at `grace_s` and shuts its app down; then it is killed."""


class Wanted(msgspec.Struct, frozen=True):
    """How many slots shall serve (0: stop everything), and the patience with each step.

    `at_once` bounds how many workers start at the same time, so that each start has a share of the
    processor; `hurry` kills what drains instead of waiting for it. `outdated` names the workers to
    be replaced, by slot and generation; of all slots `drains` at most have two workers at a time.
    """

    slots: int
    grace_s: float
    start_s: float
    at_once: int = 4
    hurry: bool = False
    outdated: frozenset[tuple[int, int]] = frozenset()
    drains: int = 1


class Seen(msgspec.Struct, frozen=True):
    """The slots as they are; `served` says that all of them were ready once.

    `leaving` has the former generation of each slot that is being replaced: it is ready until its
    successor is, and then drains.
    """

    slots: tuple[Slot, ...]
    served: bool = False
    leaving: tuple[Slot, ...] = ()


class Start(msgspec.Struct, frozen=True):
    """Start a worker of that generation in the slot."""

    slot: int
    generation: int


class Stop(msgspec.Struct, frozen=True):
    """Let the slot's worker finish what it holds, and take no more; an empty slot is let go.

    `generation` names a former one, 0 the present.
    """

    slot: int
    generation: int = 0


class Kill(msgspec.Struct, frozen=True):
    """End the slot's worker at once; `generation` names a former one, 0 the present."""

    slot: int
    generation: int = 0


class Replace(msgspec.Struct, frozen=True):
    """Start a second worker in the slot; the present one drains once the second is ready."""

    slot: int


class GiveUp(msgspec.Struct, frozen=True):
    """The first start failed: end everything, and say why."""

    reason: str


Action = Start | Stop | Kill | Replace | GiveUp


def decide(wanted: Wanted, seen: Seen, now_s: float) -> tuple[Action, ...]:
    """The actions that bring what is seen nearer to what is wanted; none when nothing is to do."""
    if wanted.slots and not seen.served:
        failed = [slot.index for slot in seen.slots if slot.failures]
        if failed:
            return (GiveUp(f"the worker of slot {failed[0]} died before it was ready"),)
    actions: list[Action] = []
    room = wanted.at_once - sum(slot.state is State.STARTING for slot in seen.slots)
    for slot in seen.slots:
        deadline_s = _deadline_s(slot, wanted)
        if slot.index >= wanted.slots and slot.state not in {State.DRAINING, State.GONE}:
            actions.append(Stop(slot.index))
        elif deadline_s is not None and deadline_s <= now_s:
            if slot.state in {State.STARTING, State.DRAINING}:
                actions.append(Kill(slot.index))
            elif room > 0:
                room -= 1
                actions.append(Start(slot.index, max(slot.newest, slot.generation) + 1))
    for slot in seen.leaving:
        deadline_s = _deadline_s(slot, wanted)
        if slot.index >= wanted.slots and slot.state is State.READY:
            actions.append(Stop(slot.index, slot.generation))
        elif deadline_s is not None and deadline_s <= now_s:
            actions.append(Kill(slot.index, slot.generation))
    starts = any(isinstance(action, Start) for action in actions)
    replaced = None if starts else _next_replaced(wanted, seen)
    return (*actions, *([] if replaced is None else [Replace(replaced)]))


def _next_replaced(wanted: Wanted, seen: Seen) -> int | None:
    """The slot that gets a second worker next: one at a time, and only where all others are still.

    A slot that was given up and is wanted again comes first: nobody serves it.
    """
    if any(slot.state is State.STARTING for slot in seen.slots):
        return None
    doubled = {slot.index for slot in seen.leaving}
    free = [slot for slot in seen.slots if slot.index < wanted.slots and slot.index not in doubled]
    for slot in free:
        if slot.state is State.DRAINING and not slot.killed:
            return slot.index
    if len(doubled) >= wanted.drains:
        return None
    for slot in free:
        if slot.state is State.READY and (slot.index, slot.generation) in wanted.outdated:
            return slot.index
    return None


def next_s(wanted: Wanted, seen: Seen, now_s: float) -> float | None:
    """When `decide` has to be asked again if nothing happens before; None: not until then."""
    found = (_deadline_s(slot, wanted) for slot in (*seen.slots, *seen.leaving))
    return min((at_s for at_s in found if at_s is not None and at_s > now_s), default=None)


def _deadline_s(slot: Slot, wanted: Wanted) -> float | None:
    """When the slot's present state ends by itself: in a kill, or in a start."""
    if slot.state is State.DRAINING and not slot.killed:
        return slot.since_s + (0.0 if wanted.hurry else wanted.grace_s + LAST_CALL_S)
    if slot.state is State.STARTING and not slot.killed:
        return slot.since_s + wanted.start_s
    if slot.index < wanted.slots:
        if slot.state is State.BACKOFF:
            return slot.due_s
        if slot.state in {State.EMPTY, State.GONE}:
            return slot.since_s
    return None
