"""One generator process: waits on epoll, keeps as many clients as it is allowed, and times itself.

The common case is here, and nothing else: an answer like one seen before, and the next request at
once. Whatever else happens to a client, `clients` decides.
"""

from __future__ import annotations

import os
import select
import time
from collections.abc import Callable
from typing import Final

from holdfast.load import shared
from holdfast.load.clients import WAITING, Clients
from holdfast.load.histogram import index_of
from holdfast.load.plan import LoadPlan
from holdfast.load.shared import LATE_NS, TICK_EVERY_NS, Board

MOST_EVENTS: Final = 64
"""A batch of so many takes about 0.4 ms: by so much a request may go later than is written down."""
MOST_OPENED: Final = 64
"""Connects between two looks at the answers: about 2 ms."""
EXPIRY_NS: Final = 1_000_000_000
_READY: Final = select.EPOLLIN | select.EPOLLOUT


class Loop:
    """Runs the clients of one process until the fleet lets go, or `terminated` is set."""

    def __init__(self, plan: LoadPlan, index: int, board: Board) -> None:
        self._board = board
        self._poller = select.epoll()
        self._clients = Clients(plan, index, board, self._poller)
        self._due_ns = self._expiry_ns = self._end_ns = 0
        self._expires = bool(plan.timeout_s)
        self.terminated = False
        """Set by a signal handler: let go at once."""

    def run(self) -> None:
        """Hold the clients until let go; return once every request is accounted for."""
        clients, poll = self._clients, self._poller.poll
        answer = _answerer(clients)
        now = time.monotonic_ns()
        self._due_ns = now + TICK_EVERY_NS
        self._expiry_ns = now + EXPIRY_NS
        words = self._board.words
        words[shared.TICK_NS] = now
        words[shared.READY] = 1
        opening, again = False, 0
        while not self._end_ns or (clients.in_flight and now < self._end_ns):
            events = poll(0 if opening else (self._due_ns - now) / 1e9, MOST_EVENTS)
            now = time.monotonic_ns()
            again_now = answer(events, now)
            again += again_now
            words[shared.AGAIN] = again
            ticks = now >= self._due_ns
            if ticks:
                self._tick(now)
            if ticks or opening:
                opening = self._open(now)
            if ticks or again_now != len(events):
                clients.publish()
        self._finish()

    def _open(self, now: int) -> bool:
        """Open some of the clients that are allowed and not there; True if more are to come."""
        clients, words = self._clients, self._board.words
        if clients.stopping:
            return False
        clients.open_again(now, MOST_OPENED)
        occupied = words[shared.ALLOW_CLIENTS] - clients.kept
        idle = words[shared.ALLOW_IDLE] - clients.kept_idle
        for _ in range(min(occupied, MOST_OPENED)):
            clients.open_new(False, now)
        for _ in range(min(idle, MOST_OPENED)):
            clients.open_new(True, now)
        return max(occupied, idle) > MOST_OPENED

    def _tick(self, now: int) -> None:
        """Record how late each tick was, and look at what is due seldom."""
        words, lag = self._board.words, self._board.lag
        words[shared.LAG_LOST_NS] += max(now - self._due_ns - LATE_NS, 0)
        while self._due_ns <= now:
            lag[index_of(now - self._due_ns)] += 1
            self._due_ns += TICK_EVERY_NS
        words[shared.TICK_NS] = now
        words[shared.CPU_NS] = time.process_time_ns()
        if now >= self._expiry_ns:
            self._expiry_ns = now + EXPIRY_NS
            if self._expires or self._clients.opening:
                self._clients.expire(now)
        end_ns = now if self.terminated else words[shared.LET_GO_NS]
        if end_ns:
            self._end_ns = end_ns
            self._clients.stop()

    def _finish(self) -> None:
        """Count what is left one by one, for the fleet to compare with the sums."""
        words = self._board.words
        self._clients.publish()
        words[shared.UNSENT] = self._clients.unsent
        words[shared.UNFINISHED] = self._clients.count_unfinished()
        words[shared.CPU_NS] = time.process_time_ns()
        words[shared.DONE] = 1


def _answerer(clients: Clients) -> Callable[[list[tuple[int, int]], int], int]:
    """What handles a batch of events and returns how many requests were answered and sent again.

    One look at the clock serves a batch: an answer counts as readable when epoll said so, and then
    the next request should go, and goes. So its two times are one, counted once (`prompt`); and
    requests that went in one batch mostly come back in one, so that they are counted together.
    """
    state, nonces, layouts = clients.state, clients.nonce, clients.layouts
    sent, prompt = clients.sent_ns, clients.board.prompt
    happened, draw, render = clients.happened, clients.draw, clients.render
    template, only_nonce, fixed = clients.template, clients.only_nonce, clients.fixed
    read, write = os.read, os.write

    def answer(events: list[tuple[int, int]], now: int) -> int:
        again = alike = before = 0
        usual, most = clients.usual, clients.read_bytes
        for fd, mask in events:
            if mask != _READY or state[fd] != WAITING:
                happened(fd, mask, now)
                continue
            try:
                data = read(fd, most)
            except BlockingIOError:
                continue
            except OSError as error:
                clients.lost(fd, error, now)
                continue
            if data != usual:
                layout = layouts.get(len(data))
                if layout is None:
                    clients.take_begun(fd, data, most, mask, now)
                    continue
                head, has_nonce = layout
                if not data.startswith(head % nonces[fd] if has_nonce else head):
                    clients.take(fd, data, mask, now)
                    continue
            since = sent[fd]
            if since is before:
                alike += 1
            else:
                if alike:
                    prompt[index_of(now - before)] += alike
                before, alike = since, 1
            sent[fd] = now
            if fixed:
                request = fixed
            else:
                nonces[fd] = number = draw(64)
                request = template % number if only_nonce else render(number)
            try:
                written = write(fd, request)
            except OSError:
                written = 0
            if written == len(request):
                again += 1
            else:
                clients.resume(fd, request, written, now)
        if alike:
            prompt[index_of(now - before)] += alike
        return again

    return answer
