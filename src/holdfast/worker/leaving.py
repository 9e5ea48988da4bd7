"""The order in which a worker leaves, the same for every engine. Waits by its caller's clock.

Decides when nothing new is taken, when idle connections end and when what is left is cut; knows
neither how an engine does it nor why the worker has to stop.
"""

from __future__ import annotations

import select
import time
from collections.abc import Iterator
from typing import Final, Protocol

from holdfast.wire import CUT, TOLD
from holdfast.worker.control import Control
from holdfast.worker.held import Held
from holdfast.worker.lasting import NOTICE_S

LINGER_S: Final = 0.1
"""Before it accepts no more: so that connections that are being made arrive, where no new ones are
taken. And again before idle ones are closed: so that busy clients ask, and are told to leave."""


class Door(Protocol):
    """What an engine can do with its connections."""

    def waiting(self) -> bool:
        """Whether connections are in the accept queue: an event loop takes them one at a time, and
        an engine that has its cap takes none."""

    def close(self) -> None:
        """Accept no more."""

    def open(self) -> int:
        """Connections that clients have, idle ones too."""

    def finish(self) -> None:
        """Close idle connections; what is in flight goes on."""

    def cut(self) -> None:
        """End what is in flight, now."""


def is_waiting(listener: int) -> bool:
    """Whether a connection is in the accept queue of the listening socket with this descriptor."""
    poll = select.poll()
    poll.register(listener, select.POLLIN)
    return bool(poll.poll(0))


class Leaving:
    """One drain: take no more, finish what is here, cut what is left after `grace_s`.

    What waits in the accept queue is taken before, for half of that time: a successor may share the
    queue, and new ones never cease to come.

    An edge keeps an idle connection `dialler_idle_s`, and may just be sending a request on it; so
    they are left to it to close. What does not finish by itself is told to come back, once nobody
    can come back here: websockets evenly over `websockets_s`, streams of events over `streams_s`.
    `was_cut` says afterwards whether the grace time was not enough.
    """

    def __init__(
        self,
        door: Door,
        held: Held,
        control: Control,
        *,
        grace_s: float,
        dialler_idle_s: float,
        websockets_s: float = 0.0,
        streams_s: float = 0.0,
    ) -> None:
        self._door, self._held, self._control = door, held, control
        self._grace_s, self._dialler_idle_s = grace_s, dialler_idle_s
        self._lasting = ((held.websockets, websockets_s), (held.streams, streams_s))
        self.was_cut = False

    def steps(self) -> Iterator[float]:
        """Do each step; yields how many seconds to wait before the next one."""
        door, held = self._door, self._held
        held.draining = True
        begun_s = time.monotonic()
        end_s = begun_s + self._grace_s
        yield LINGER_S
        while door.waiting() and time.monotonic() < begun_s + self._grace_s / 2:
            yield LINGER_S
        door.close()
        yield LINGER_S
        yield from self._farewell(end_s)
        silent_s = 0.0
        while door.open() and silent_s < self._dialler_idle_s and time.monotonic() < end_s:
            yield LINGER_S
            silent_s = 0.0 if held.unfinished else silent_s + LINGER_S
        door.finish()
        while held.unfinished or door.open():
            left_s = end_s - time.monotonic()
            if left_s <= 0:
                self.was_cut = True
                if held.unfinished:
                    self._control.say(CUT, requests=held.unfinished)
                door.cut()
                return
            yield min(left_s, LINGER_S)

    def _farewell(self, end_s: float) -> Iterator[float]:
        """Tell what lasts to end; yields until it has, or has had the time to."""
        begun_s = time.monotonic()
        last_s = begun_s + NOTICE_S + max(over_s for _, over_s in self._lasting)
        counts = [len(kind) for kind, _ in self._lasting]
        if any(counts):
            self._control.say(TOLD, websockets=counts[0], streams=counts[1])
        while any(len(kind) for kind, _ in self._lasting) and time.monotonic() < min(last_s, end_s):
            passed_s = time.monotonic() - begun_s + LINGER_S
            for kind, over_s in self._lasting:
                kind.tell(min(1.0, passed_s / over_s) if over_s else 1.0)
            yield LINGER_S
