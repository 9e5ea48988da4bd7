"""What an edge is told of slots that come and go. nginx finds out by itself: a path is gone.

HAProxy is told over its runtime API: each process, and each one anew when it starts.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from typing import Literal, Protocol

from holdfast.writers import haproxy

Moved = Literal["came", "moved", "left"]
"""A slot's worker answers for the first time; another one has taken over; the last one leaves."""


class Told(Protocol):
    """A process of HAProxy as its runtime API is spoken to."""

    def say(self, command: str) -> str:
        """What it says to a command; raises OSError."""
        ...


class EdgeSlots:
    """Which slots a HAProxy may use: at first the `always` first ones, as its files say."""

    def __init__(self, always: int) -> None:
        self._at_first = frozenset(range(always))
        self._shown = set(self._at_first)

    def moved(self, slot: int, how: Moved, processes: Iterable[Told]) -> None:
        """Tell every process.

        Idle connections to where a slot's path led before are ended by maintenance; meanwhile the
        `last` server stands in.
        """
        was = slot in self._shown
        (self._shown.discard if how == "left" else self._shown.add)(slot)
        if how == "came" and was:
            return  # its worker crashed, and the next one answers: nothing was said of it
        states = {"came": ("ready",), "left": ("maint",), "moved": ("maint", "ready")}[how]
        command = "; ".join(f"set server {haproxy.server(slot)} state {state}" for state in states)
        for process in processes:
            with contextlib.suppress(OSError):
                process.say(command)

    def started(self, process: Told) -> None:
        """Tell a process that has just read its files what has changed since they were written."""
        changed = sorted(self._shown ^ self._at_first)
        words = (
            f"set server {haproxy.server(slot)} state {'ready' if slot in self._shown else 'maint'}"
            for slot in changed
        )
        if changed:
            with contextlib.suppress(OSError):
                process.say("; ".join(words))
