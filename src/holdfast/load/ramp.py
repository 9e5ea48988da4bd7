"""Decides how many clients may be open now: paced, and bounded by what the server accepts.

Pure: now is an argument. Must not know sockets, processes, or how the accept queue was read.
"""

from __future__ import annotations

from typing import Final

QUEUE_SHARE: Final = 4
"""Waits while over a quarter of the backlog is taken: a full one costs a client 1 s, 3 s, 7 s."""
BACK_OFF_S: Final = 0.1
"""The pace is halved at most this often, so that one full queue counts once."""
SPEED_UP_S: Final = 2.0
"""Time from a standstill back to the asked rate, by adding."""
SLOWEST: Final = 1 / 64
"""The pace never falls below this share of the asked rate, so that it gets going again."""


class Ramp:
    """Opens up to `target` clients, `rate` a second, with at most `window` connects unanswered.

    Halves its pace when the server falls behind, and adds to it while the server keeps up (AIMD).
    """

    def __init__(self, target: int, rate: float, window: int) -> None:
        self.target = target
        self.rate = rate
        self.window = window
        self.pace = rate
        self._allowed = 0.0
        self._now_s: float | None = None
        self._halved_s = float("-inf")

    def __repr__(self) -> str:
        return f"<Ramp {int(self._allowed)} of {self.target}, {self.pace:.0f} of {self.rate:.0f}/s>"

    def step(
        self, now_s: float, opened: int, opening: int, queued: int | None, backlog: int | None
    ) -> int:
        """How many clients may be open or opening now; never fewer than before or over the target.

        `opened` are connected, `opening` wait for their connect to be answered; `queued` of
        `backlog` connections wait in the server's accept queues (None: not known).
        """
        passed_s = 0.0 if self._now_s is None else max(now_s - self._now_s, 0.0)
        self._now_s = now_s
        full = queued is not None and backlog is not None and queued * QUEUE_SHARE > backlog
        if full or opening > self.window:
            if now_s - self._halved_s >= BACK_OFF_S:
                self._halved_s = now_s
                self.pace = max(self.pace / 2, self.rate * SLOWEST)
        else:
            self.pace = min(self.pace + self.rate * passed_s / SPEED_UP_S, self.rate)
            ceiling = min(opened + self.window, self.target)
            self._allowed = max(self._allowed, min(self._allowed + self.pace * passed_s, ceiling))
        return int(self._allowed)
