"""The line for places in an app, for threads and, where gevent has replaced them, greenlets.

Decides who is let in and when: first come, first served, for a bounded time. Knows no request.
"""

from __future__ import annotations

import threading
from collections import OrderedDict

from holdfast.wire import Places


class Turns:
    """`places.cap` places, and a line of `places.room` before them; see `line.Line`."""

    __slots__ = ("_free", "_lock", "_places", "_waiting", "exempt")

    def __init__(self, places: Places) -> None:
        self._places = places
        self._free = places.cap
        self._lock = threading.Lock()
        self._waiting: OrderedDict[threading.Lock, None] = OrderedDict()
        """Each who waits: a lock that is let go when the turn comes."""
        self.exempt = frozenset(places.health)
        """Paths that need no place."""

    @property
    def retry_after_s(self) -> int:
        """What those are told that get no place."""
        return self._places.retry_after_s

    def enter(self) -> bool:
        """Take a place that is free; False: none is."""
        with self._lock:
            if self._free:
                self._free -= 1
                return True
            return False

    def wait(self) -> bool:
        """Get in line until a place is one's own; False: the line is full, or the time is over."""
        with self._lock:
            if self._free:
                self._free -= 1
                return True
            if len(self._waiting) >= self._places.room or not self._places.wait_s:
                return False
            turn = threading.Lock()
            turn.acquire()
            self._waiting[turn] = None
        if turn.acquire(timeout=self._places.wait_s):
            return True
        with self._lock:
            if turn in self._waiting:
                del self._waiting[turn]
                return False
        return True  # it came in the last instant

    def leave(self) -> None:
        """Give a place up: to whoever is next, or it is free."""
        with self._lock:
            if self._waiting:
                self._waiting.popitem(last=False)[0].release()
            else:
                self._free += 1
