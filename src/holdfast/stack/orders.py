"""What a stack is told while it runs, and what it answers: records, a line of JSON each.

By whoever started it, and over its control socket. No behaviour.
"""

from __future__ import annotations

import msgspec

from holdfast.stack.config import Bound, EdgeEvent, Event, Failed, StackEvent


class Replace(msgspec.Struct, frozen=True, tag="replace"):
    """Put a new worker in the slot, and let the present one finish."""

    slot: int


class Look(msgspec.Struct, frozen=True, tag="look"):
    """Report what the stack runs with."""


class Status(msgspec.Struct, frozen=True, tag="status"):
    """Say what runs: answered with Running."""


class Reload(msgspec.Struct, frozen=True, tag="reload"):
    """Replace every worker, one after the other: a new one imports the app as it is now."""


class Scale(msgspec.Struct, frozen=True, tag="scale"):
    """From now on so many slots; or, where `by` is not 0, so many more or fewer."""

    slots: int = 0
    by: int = 0


class Drain(msgspec.Struct, frozen=True, tag="drain"):
    """Let nobody in any more, and finish what is held; the stack stays until it is told Down."""


class Down(msgspec.Struct, frozen=True, tag="down"):
    """Finish what is held, and end; `hurry`: end at once."""

    hurry: bool = False


Order = Replace | Look | Status | Reload | Scale | Drain | Down


class WorkerSeen(msgspec.Struct, frozen=True):
    """A worker as its supervisor has it: `state` is a policy State, `for_s` since it has it.

    `is_former` says that the slot has a newer one, `why` for which reason it is being replaced.
    """

    slot: int
    generation: int
    pid: int
    state: str
    for_s: float
    age_s: float = 0.0
    is_former: bool = False
    why: str = ""


class Running(msgspec.Struct, frozen=True, tag="running"):
    """A running stack. `slots` are wanted, `most` may be; `doing` is "serving", "draining" and so
    on; `edge` names its program. `sure` is what so many slots hold, 0 where nobody knows, `bounds`
    what each hop holds with the planned ones."""

    address: str
    port: int
    scheme: str
    app: str
    engine: str
    edge: str
    supervisor_pid: int
    edge_pids: tuple[int, ...]
    run_dir: str
    gauge: str
    doing: str
    for_s: float
    slots: int
    most: int
    most_why: str
    drains: int
    in_flight: int
    sure: int
    bounds: tuple[Bound, ...]
    grace_s: float
    workers: tuple[WorkerSeen, ...]


class Done(msgspec.Struct, frozen=True, tag="done"):
    """What was asked is over: `text` says how, `exit_code` is 0 where it came to pass."""

    text: str
    exit_code: int = 0


Answer = Running | Done | Failed | Event | EdgeEvent | StackEvent
"""Running, Done and Failed are the last of their order; what happens meanwhile comes before."""
