"""Memory that a generator process shares with its fleet: counters, allowances, histograms.

A word is an unsigned 64-bit integer with one writer, so a reader never sees half of one, and what a
killed process had counted survives it. Decides nothing else.
"""

from __future__ import annotations

import mmap
import os
from typing import Final

from holdfast.load.connection import FAULTS
from holdfast.load.histogram import BUCKETS
from holdfast.load.tally import SIZE as _TALLY
from holdfast.load.tally import Tally

# Written by the fleet alone.
ALLOW_CLIENTS, ALLOW_IDLE, LET_GO_NS, START_NS = range(4)
"""LET_GO_NS: when to stop waiting for answers, on the monotonic clock; 0: go on sending. START_NS:
when the first request of an open loop is due; 0: not yet known."""
# Written by the process alone, from the next cache line on.
(
    READY,
    TICK_NS,
    CPU_NS,
    LAG_LOST_NS,
    INTENDED,
    SENT,
    AGAIN,
    IN_FLIGHT,
    ANSWERED,
    FAILED,
    REFUSED,
    OPENING,
    CONNECTED,
    IDLE,
    IDLE_CLOSED,
    UNSENT,
    UNFINISHED,
    DONE,
    SOCKETS,
    GRANTED,
    FIRST_ERROR_NS,
    FIRST_ERROR_LENGTH,
    FIRST_FAULT,
) = range(8, 31)
"""AGAIN: answered, and sent again by the loop at once; beside INTENDED, SENT and ANSWERED. SOCKETS:
connections that HTTP/2 clients share; GRANTED: the fewest streams of one that a server allowed."""

LATE_NS: Final = 50_000_000
"""A tick later than this is time lost to the load: the process did not run, or not fast enough."""
FAULT_NAMES: Final = FAULTS + tuple(f"idle {name}" for name in FAULTS)
"""Words from FIRST_FAULT on: why requests failed, and why idle clients did."""

_WORDS = FIRST_FAULT + len(FAULT_NAMES)
_TEXT = 512
_HISTOGRAMS = 5
_USED = _WORDS * 8 + _TEXT + _TALLY + _HISTOGRAMS * BUCKETS * 8
STRIDE: Final = -(-_USED // mmap.ALLOCATIONGRANULARITY) * mmap.ALLOCATIONGRANULARITY


def create(processes: int) -> int:
    """A new memory file with room for so many processes: its descriptor, not inherited."""
    fd = os.memfd_create("holdfast-load", os.MFD_CLOEXEC)
    os.ftruncate(fd, STRIDE * processes)
    return fd


class Board:
    """One process's part of the memory: `words`, indexed by the names above, and the histograms."""

    def __init__(self, fd: int, index: int) -> None:
        self._map = mmap.mmap(fd, STRIDE, offset=STRIDE * index)
        view = memoryview(self._map)
        self.words = view[: _WORDS * 8].cast("Q")
        start = _WORDS * 8 + _TEXT + _TALLY
        self._text = view[_WORDS * 8 : start - _TALLY]
        self.tally = Tally(view[start - _TALLY : start])
        """Of answered requests, where one of their headers is asked for."""
        parts = []
        for n in range(_HISTOGRAMS):
            first = start + n * BUCKETS * 8
            parts.append(view[first : first + BUCKETS * 8].cast("Q"))
        self.prompt, self.response, self.service, self.lag, self.late = parts
        """`prompt`: requests that went when they should, both times in one; `response`, `service`
        of all others; `lag` of the ticks; `late`: by how much requests that are sent by rate, and
        had a connection, went after they were due."""

    def note_first_error(self, now_ns: int, text: str) -> None:
        """Keep the text of the process's first error; later ones are counted only."""
        if not self.words[FIRST_ERROR_NS]:
            data = text.encode(errors="replace")[:_TEXT]
            self._text[: len(data)] = data
            self.words[FIRST_ERROR_LENGTH] = len(data)
            self.words[FIRST_ERROR_NS] = now_ns

    def first_error(self) -> tuple[int, str] | None:
        """When the first error was, on the monotonic clock in ns, and its text; None before any."""
        at_ns = self.words[FIRST_ERROR_NS]
        data = bytes(self._text[: self.words[FIRST_ERROR_LENGTH]])
        return (at_ns, data.decode(errors="replace")) if at_ns else None
