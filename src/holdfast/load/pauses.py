"""Decides when a client that failed comes back: later each time, so that a dead server has peace.

Pure: now is an argument. Must not know why a client failed, nor how it comes back.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from typing import Final

FIRST_PAUSE_NS: Final = 100_000_000
LONGEST_PAUSE_NS: Final = 3_000_000_000
"""After a failure a client pauses, twice as long each time, up to this."""
_MOST_ATTEMPTS: Final = 6


class Pauses:
    """Clients that pause, each with whether it is idle and how often in turn it has failed."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, bool, int]] = []

    def add(self, idle: bool, attempt: int, now_ns: int) -> None:
        """Have a client pause that failed `attempt` times before."""
        pause_ns = min(FIRST_PAUSE_NS << attempt, LONGEST_PAUSE_NS)
        heapq.heappush(self._heap, (now_ns + pause_ns, idle, min(attempt + 1, _MOST_ATTEMPTS)))

    def over(self, now_ns: int, most: int) -> Iterator[tuple[bool, int]]:
        """Take out up to `most` clients whose pause is over."""
        while self._heap and self._heap[0][0] <= now_ns and most > 0:
            _, idle, attempt = heapq.heappop(self._heap)
            most -= 1
            yield idle, attempt

    def clear(self) -> None:
        """Have nobody come back."""
        self._heap.clear()
