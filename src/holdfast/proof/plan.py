"""What is to be proved, and how many clients that takes. Pure; knows no run and no result."""

from __future__ import annotations

from typing import Final

import msgspec

from holdfast.load.plan import LoadPlan

SURPLUS_LEAST: Final = 32
SURPLUS_SHARE: Final = 0.04
SURPLUS_S: Final = 0.5
SURPLUS_MOST_S: Final = 2.0


def surplus(asked: int, rate: float) -> int:
    """Clients to open above N, so that those between an answer and the next request never count.

    max(32, rate x 0.5 s, 4 % of N, but of this no more than rate x 2 s): a request spends a few
    milliseconds before the app has started it and after the app has finished it, and all of a
    stall: half a second of the whole machine, such as a noisy neighbour or a garbage collection
    takes, leaves so many unstarted at once. A rate of 0 is not known.
    """
    share = SURPLUS_SHARE * asked
    if rate:
        share = min(share, SURPLUS_MOST_S * rate)
    return max(SURPLUS_LEAST, round(share), round(SURPLUS_S * rate))


class ProofPlan(msgspec.Struct, frozen=True):
    """What is to be proved, and how.

    `asked` requests are to be in flight for `hold_s` seconds, with `idle` clients beside;
    `clients` are opened (asked + surplus), `open_rate` a second at most, for `open_ceiling_s`
    seconds at most. `backlog_total` is the room of the accept queues (None: what the kernel
    says). `slots_room` is that of the workers behind an edge (None: there is none): an edge takes
    clients in faster than workers do. `grace_s` is how long requests in flight at the end are
    waited for.
    """

    asked: int
    clients: int
    idle: int
    hold_s: float
    load: LoadPlan
    open_rate: float
    open_ceiling_s: float
    backlog_total: int | None = None
    mean_time_s: float | None = None
    grace_s: float = 10.0
    slots_room: int | None = None
