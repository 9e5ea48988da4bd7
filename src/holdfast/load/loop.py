"""One generator process: waits on epoll, keeps as many clients as it is allowed, and times itself.

What a request costs is in `answers`; whatever else happens to a client, `clients` decides.
"""

from __future__ import annotations

import select
import time
from collections.abc import Callable
from typing import Final

from holdfast.load import shared
from holdfast.load.answers import MOST_EVENTS, Events, asker, dispatcher, sender, taker
from holdfast.load.clients import Clients
from holdfast.load.histogram import index_of
from holdfast.load.paced import Paced
from holdfast.load.plan import PORTION, LoadPlan
from holdfast.load.shared import LATE_NS, Board

EXPIRY_NS: Final = 1_000_000_000
GATHER_NS: Final = 200_000
"""A process that sends often looks so often, not at each answer and each request that is due: both
are up to this late, and waking costs it 2 us a request at 50,000 a second instead of 10."""
OFTEN: Final = 10_000
"""Requests a second of one process; with fewer, two are seldom due within GATHER_NS."""


def kind_of(plan: LoadPlan) -> type[Clients]:
    """What speaks as the plan says; TLS and HTTP/2 are imported by the processes that need them."""
    if plan.streams > 1:
        from holdfast.load.streams import PacedStreams, Streams

        return PacedStreams if plan.rate else Streams
    if plan.tls:
        from holdfast.load.secure import Secure, SecurePaced

        return SecurePaced if plan.rate else Secure
    return Paced if plan.rate else Clients


class Loop:
    """Runs the clients of one process until the fleet lets go, or `terminated` is set."""

    def __init__(self, plan: LoadPlan, index: int, board: Board) -> None:
        self._board = board
        self._poller = select.epoll()
        self._clients = kind_of(plan)(plan, index, board, self._poller)
        self._paced = self._clients if isinstance(self._clients, Paced) else None
        self._shares = plan.streams > 1
        self._tick_ns = plan.tick_ns
        self._due_ns = self._expiry_ns = self._end_ns = 0
        self._expires = bool(plan.timeout_s)
        self._gathers = plan.rate > OFTEN * plan.processes
        self._opening = False
        self.terminated = False
        """Set by a signal handler: let go at once."""

    def run(self) -> None:
        """Hold the clients until let go; return once every request is accounted for."""
        now, words = time.monotonic_ns(), self._board.words
        self._due_ns = now + self._tick_ns
        self._expiry_ns = now + EXPIRY_NS
        words[shared.TICK_NS] = now
        words[shared.READY] = 1
        if self._paced is None:
            self._keep_asking(now)
        else:
            self._keep_pace(now, self._paced)
        self._finish()

    def _keep_asking(self, now: int) -> None:
        """Send a client's next request when it is answered."""
        clients, words, poll = self._clients, self._board.words, self._poller.poll
        answer, again = (dispatcher if self._shares else asker)(clients), 0
        while not self._end_ns or (clients.in_flight and now < self._end_ns):
            events = poll(0 if self._opening else (self._due_ns - now) / 1e9, MOST_EVENTS)
            now = time.monotonic_ns()
            again_now = answer(events, now)
            again += again_now
            words[shared.AGAIN] = again
            if self._turn(now) or again_now != len(events):
                clients.publish()

    def _keep_pace(self, now: int, clients: Paced) -> None:
        """Send requests when they are due."""
        answer: Callable[[Events, int], object]
        answer = dispatcher(clients) if self._shares else taker(clients)
        send, woken = sender(clients), now
        while not self._end_ns or (clients.in_flight and now < self._end_ns):
            events = self._wait(clients, woken)
            woken = time.monotonic_ns()
            answer(events, woken)
            sent, now = clients.sent, send()
            if self._turn(now) or events or clients.sent != sent:
                clients.publish()

    def _wait(self, clients: Paced, woken_ns: int) -> Events:
        """What happened, or nothing once a request or a tick is due.

        epoll's timeout is in milliseconds, select's in microseconds.
        """
        if self._gathers:
            early_ns = woken_ns + GATHER_NS - time.monotonic_ns()
            if early_ns > 0:
                time.sleep(early_ns / 1e9)
        events = self._poller.poll(0, MOST_EVENTS)
        if events or self._opening:
            return events
        left_ns = min(self._due_ns, clients.due_ns) - time.monotonic_ns()
        if left_ns <= 0 or not select.select([self._poller], (), (), left_ns / 1e9)[0]:
            return []
        return self._poller.poll(0, MOST_EVENTS)

    def _turn(self, now: int) -> bool:
        """Tick if it is time to, and open some clients; True if it ticked."""
        ticks = now >= self._due_ns
        if ticks:
            self._tick(now)
        if ticks or self._opening:
            self._opening = self._open(now)
        return ticks

    def _open(self, now: int) -> bool:
        """Open some of the clients that are allowed and not there; True if more are to come."""
        clients, words = self._clients, self._board.words
        if clients.stopping:
            return False
        clients.open_again(now, PORTION)
        occupied = 0 if clients.on_demand else words[shared.ALLOW_CLIENTS] - clients.kept
        idle = words[shared.ALLOW_IDLE] - clients.kept_idle
        for _ in range(min(occupied, PORTION)):
            clients.open_new(False, now)
        for _ in range(min(idle, PORTION)):
            clients.open_new(True, now)
        return max(occupied, idle) > PORTION

    def _tick(self, now: int) -> None:
        """Record how late each tick was, and look at what is due seldom."""
        words, lag = self._board.words, self._board.lag
        words[shared.LAG_LOST_NS] += max(now - self._due_ns - LATE_NS, 0)
        while self._due_ns <= now:
            lag[index_of(now - self._due_ns)] += 1
            self._due_ns += self._tick_ns
        words[shared.TICK_NS] = now
        words[shared.CPU_NS] = time.process_time_ns()
        if now >= self._expiry_ns:
            self._expiry_ns = now + EXPIRY_NS
            if self._expires or self._clients.connecting:
                self._clients.expire(now)
        if self._paced and not self._paced.on_demand and words[shared.START_NS]:
            self._paced.begin(words[shared.START_NS])
        end_ns = now if self.terminated else words[shared.LET_GO_NS]
        if end_ns:
            self._end_ns = end_ns
            self._clients.stop(now)

    def _finish(self) -> None:
        """Count what is left one by one, for the fleet to compare with the sums."""
        words = self._board.words
        self._clients.publish()
        words[shared.UNSENT] = self._clients.unsent
        words[shared.UNFINISHED] = self._clients.count_unfinished()
        words[shared.CPU_NS] = time.process_time_ns()
        words[shared.DONE] = 1
