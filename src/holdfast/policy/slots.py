"""What a slot is, and how its state changes: one table, plus the arithmetic of backing off.

Knows no process and reads no clock: `now_s` is an argument.
"""

from __future__ import annotations

from enum import Enum
from typing import Final

import msgspec

RESET_S: Final = 30.0
"""A worker that served this long starts its slot's failures afresh when it dies."""
FIRST_DELAY_S: Final = 0.5
LONGEST_DELAY_S: Final = 10.0


class State(Enum):
    """Where a slot is in the life of its worker."""

    EMPTY = "empty"
    STARTING = "starting"
    READY = "ready"
    DRAINING = "draining"
    BACKOFF = "backoff"
    GONE = "gone"


class Happening(Enum):
    """What can happen to a slot."""

    START = "start"
    ANSWER = "answer"
    REPLACE = "replace"
    RESTORE = "restore"
    STOP = "stop"
    DIE = "die"


TABLE: Final[dict[tuple[State, Happening], State]] = {
    (State.EMPTY, Happening.START): State.STARTING,
    (State.BACKOFF, Happening.START): State.STARTING,
    (State.GONE, Happening.START): State.STARTING,
    (State.STARTING, Happening.ANSWER): State.READY,
    (State.READY, Happening.REPLACE): State.STARTING,
    (State.DRAINING, Happening.REPLACE): State.STARTING,
    (State.STARTING, Happening.RESTORE): State.READY,
    (State.STARTING, Happening.DIE): State.BACKOFF,
    (State.READY, Happening.DIE): State.BACKOFF,
    (State.EMPTY, Happening.STOP): State.GONE,
    (State.BACKOFF, Happening.STOP): State.GONE,
    (State.STARTING, Happening.STOP): State.DRAINING,
    (State.READY, Happening.STOP): State.DRAINING,
    (State.DRAINING, Happening.DIE): State.GONE,
}
"""Every change there is. What is not here cannot happen.

REPLACE starts a second worker beside the one that serves, or beside one that leaves a slot which is
wanted again. RESTORE: that second worker died before it was ready, and the first one serves on.
"""

LIVE: Final = frozenset({State.STARTING, State.READY, State.DRAINING})
"""The states in which a slot has a worker process."""


class Slot(msgspec.Struct, frozen=True):
    """One slot: `since_s` is when its state began, `due_s` when a backing-off one may start again.

    `failures` counts deaths since it last served for `RESET_S`; `killed` says that its worker was
    already told to die. `generation` is its worker's, `newest` the highest that it ever had: the
    two differ once a successor has failed.
    """

    index: int
    state: State = State.EMPTY
    generation: int = 0
    since_s: float = 0.0
    failures: int = 0
    due_s: float = 0.0
    killed: bool = False
    newest: int = 0


def delay_s(failures: int, longest_s: float = LONGEST_DELAY_S) -> float:
    """Seconds before a start after so many failures: 0, then 0.5 doubling to `longest_s`."""
    if failures <= 1:
        return 0.0
    return min(longest_s, FIRST_DELAY_S * 2.0 ** min(failures - 2, 16))


def after(
    slot: Slot, happening: Happening, now_s: float, longest_s: float = LONGEST_DELAY_S
) -> Slot:
    """The slot after `happening`; raises KeyError for what the table does not allow.

    One whose worker died is to start again after `longest_s` seconds at most.
    """
    state = TABLE[slot.state, happening]
    generation, newest = slot.generation, max(slot.newest, slot.generation)
    if happening in {Happening.START, Happening.REPLACE}:
        generation = newest = newest + 1
    failures, due_s = slot.failures, slot.due_s
    if state is State.BACKOFF:
        served = slot.state is State.READY and now_s - slot.since_s >= RESET_S
        failures = 1 if served else failures + 1
        due_s = now_s + delay_s(failures, longest_s)
    return Slot(slot.index, state, generation, now_s, failures, due_s, newest=newest)


def restored(former: Slot, failed: Slot) -> Slot:
    """The slot as its `former` worker has it again, whose successor died before it was ready.

    Raises KeyError where the successor had been ready, or the former one was already leaving.
    """
    state = TABLE[failed.state, Happening.RESTORE]
    if former.state is not state:
        raise KeyError((former.state, Happening.RESTORE))
    return msgspec.structs.replace(former, newest=failed.newest)


def excused(slot: Slot, for_s: float, now_s: float) -> Slot:
    """The slot once nobody has looked after it for the `for_s` seconds up to now.

    What its worker has to do in time, start or drain, may last so much longer.
    """
    if slot.state not in {State.STARTING, State.DRAINING}:
        return slot
    return msgspec.structs.replace(slot, since_s=min(slot.since_s + for_s, now_s))


def killed(slot: Slot) -> Slot:
    """The slot once its worker was told to die; its state changes when the worker has."""
    return msgspec.structs.replace(slot, killed=True)
