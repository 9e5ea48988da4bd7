"""What a fleet counted, as records, and how they are read from the processes' shared memory.

Starts and stops nothing. Law 7 is held here: no request is lost count of.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import msgspec

from holdfast.load import shared
from holdfast.load.histogram import BUCKETS, Histogram, middle_ns
from holdfast.load.shared import Board
from holdfast.model.errors import HoldfastError


class FleetSample(msgspec.Struct, frozen=True):
    """One look at a fleet. Gauges count living processes, sums all of them."""

    at_s: float
    """On the monotonic clock."""
    opening: int
    """Clients, occupied and idle, whose connect is not answered yet."""
    connected: int
    """Occupied clients that are connected."""
    in_flight: int
    """Requests wholly sent, whose answer is not complete."""
    idle: int
    """Idle clients that have had their answer, and are silent."""
    idle_closed: int
    """How often the server closed an idle client."""
    intended: int
    sent: int
    """Left, or failed on the way out."""
    answered: int
    failed: int
    errors: dict[str, int]
    first_error: str | None
    lag_s_max: float
    """The latest tick since the previous look, or the one that is late now."""
    lag_lost_s: tuple[float, ...]
    """By process: time beyond 50 ms that ticks were late, since the start; 0 once it died."""
    cpu_s: tuple[float, ...]
    dead: int
    """Processes that ended unasked."""
    sockets: int
    """Connections that are open or opening, of occupied and idle clients."""
    granted: int
    """Clients that share a connection: as many as the plan says, or fewer by a server's word."""
    tally: dict[str, int] = {}
    """Answers by the value of the header that the plan names; their sum is `answered`."""


class FleetTotals(msgspec.Struct, frozen=True):
    """All that a fleet did: intended = sent + unsent, sent = answered + refused + failed +
    unfinished."""

    intended: int
    sent: int
    unsent: int
    answered: int
    refused: int
    """Told 503 with Retry-After."""
    failed: int
    unfinished: int
    errors: dict[str, int]
    first_error: str | None
    idle_closed: int
    response: Histogram
    """Of answered requests: from when each should have gone."""
    service: Histogram
    """Of answered requests: from when each went."""
    lag: Histogram
    """How late each tick was, of all processes."""
    cpu_s: tuple[float, ...]
    wall_s: float
    """From the start to the end of letting go."""
    late: Histogram
    """By rate: how late each request went for which a connection was free."""
    tally: dict[str, int] = {}
    """Answers by the value of the header that the plan names; their sum is `answered`."""


class LagReader:
    """How late a process's ticks are, from its histogram of them; also while it is stopped."""

    def __init__(self, board: Board, tick_ns: int) -> None:
        self._board, self._tick_ns = board, tick_ns
        self._seen = bytes(board.lag)

    def _overdue_s(self, now_s: float) -> float:
        since_ns = now_s * 1e9 - self._board.words[shared.TICK_NS]
        return max(since_ns - self._tick_ns, 0.0) / 1e9

    def largest_s(self, now_s: float) -> float:
        """The latest tick since the last call, or the one that is late now."""
        counts = bytes(self._board.lag)
        seen, self._seen = self._seen, counts
        low, high = 0, BUCKETS  # the last bucket that changed lies in [low, high)
        if counts == seen:
            return self._overdue_s(now_s)
        while high - low > 1:
            middle = (low + high) // 2
            if counts[middle * 8 :] == seen[middle * 8 :]:
                high = middle
            else:
                low = middle
        return max(middle_ns(low) / 1e9, self._overdue_s(now_s))

    def lost_s(self, now_s: float) -> float:
        """The time beyond 50 ms that ticks were late, since the start."""
        lost_s = self._board.words[shared.LAG_LOST_NS] / 1e9
        return lost_s + max(self._overdue_s(now_s) - shared.LATE_NS / 1e9, 0.0)


def account(words: Sequence[int], index: int) -> dict[str, int]:
    """A process's requests, each in one place. Raises HoldfastError when one is not (law 7).

    A process that came to its end counted one by one what it left undone, to be compared; of a
    killed one that is the difference of its sums.
    """
    again, failed, refused = (words[at] for at in (shared.AGAIN, shared.FAILED, shared.REFUSED))
    intended, sent = words[shared.INTENDED] + again, words[shared.SENT] + again
    answered = words[shared.ANSWERED] + again
    unsent, unfinished = intended - sent, sent - answered - refused - failed
    if words[shared.DONE]:
        unsent, unfinished = words[shared.UNSENT], words[shared.UNFINISHED]
    lost = abs(intended - sent - unsent) + abs(sent - answered - refused - failed - unfinished)
    if lost or min(unsent, unfinished) < 0:
        raise HoldfastError(
            f"generator process {index} lost count: intended {intended} = sent {sent} + unsent "
            f"{unsent}; sent = answered {answered} + refused {refused} + failed {failed} + "
            f"unfinished {unfinished}",
            hint="this is a defect of holdfast; please report it with this message",
        )
    return {
        "intended": intended,
        "sent": sent,
        "unsent": unsent,
        "answered": answered,
        "refused": refused,
        "failed": failed,
        "unfinished": unfinished,
    }


def errors_of(boards: Sequence[Board]) -> dict[str, int]:
    """How often each fault happened, most often first; none that did not."""
    found = {
        name: sum(board.words[shared.FIRST_FAULT + number] for board in boards)
        for number, name in enumerate(shared.FAULT_NAMES)
    }
    return {name: n for name, n in sorted(found.items(), key=lambda item: -item[1]) if n}


def tallies_of(boards: Sequence[Board]) -> dict[str, int]:
    """How many answers had each value of the plan's header, over all processes."""
    found: Counter[str] = Counter()
    for board in boards:
        found.update(board.tally.read())
    return dict(found)


def first_error_of(boards: Sequence[Board]) -> str | None:
    """The text of the earliest error of any process."""
    first = min(filter(None, (board.first_error() for board in boards)), default=None)
    return first[1] if first else None
