"""Clients by rate: a request goes when it is due, on whichever connection is free, or waits.

What waits is sent as soon as a connection is free, its clock running since it was due; another is
opened meanwhile, up to a bound. Must not know ticks, nor which times were asked for.
"""

from __future__ import annotations

import os
import select
from collections import deque
from typing import TYPE_CHECKING, Final

from holdfast.load.clients import Clients
from holdfast.load.connection import fault_of
from holdfast.load.judge import NO_PLACE, fault_in
from holdfast.load.ledger import (
    CONNECTING,
    FIRST,
    IN_FLIGHT_STATES,
    RESTING,
    SENDING,
    WAITING,
)
from holdfast.load.pacer import due_times
from holdfast.load.plan import PORTION, LoadPlan, shares
from holdfast.load.shared import Board

if TYPE_CHECKING:
    from holdfast.load.judge import Judged

NEVER: Final = 1 << 62


class Paced(Clients):
    """The connections of one process, and the requests that are due. None owns a connection."""

    def __init__(self, plan: LoadPlan, index: int, board: Board, poller: select.epoll) -> None:
        super().__init__(plan, index, board, poller)
        self._times = due_times(plan, index)
        self._start_ns = 0
        self._most = shares(plan.clients, plan.idle, index, plan.processes)[0]
        self.due_ns = NEVER
        """When the next request should go."""
        self.waiting: deque[int] = deque()
        """When each request should have gone that found no connection free."""
        self.free: dict[int, None] = {}
        """Connections without a request; the last one to be answered is the first to be used."""

    def begin(self, start_ns: int) -> None:
        """Start the clock; from now on connections are opened when requests want them."""
        self.on_demand = True
        self._start_ns = start_ns
        self._advance()

    def _advance(self) -> None:
        offset_ns = next(self._times, None)
        self.due_ns = NEVER if offset_ns is None else self._start_ns + offset_ns

    def take_due(self) -> int:
        """When the next request should go: it is intended from now on."""
        due_ns = self.due_ns
        self._advance()
        self.intended += 1
        return due_ns

    def launch(self, fd: int, due_ns: int, now_ns: int) -> None:
        """Send a request on a connection that was free."""
        self.intended_ns[fd] = due_ns
        self.state[fd] = FIRST if self.attempts[fd] else WAITING
        self.nonce[fd] = number = self.draw(64)
        self.write(fd, self.render(number), now_ns)

    def want(self, now_ns: int) -> None:
        """Open a connection for each request that waits for one, up to the bound."""
        more = min(len(self.waiting) - len(self.connecting), self._most - self.kept, PORTION)
        for _ in range(more):
            self.open_new(False, now_ns)

    def open(self, idle: bool, now_ns: int, attempt: int = 0, intended_ns: int = 0) -> None:
        """Begin to connect; that intends no request."""
        super().open(idle, now_ns, attempt, intended_ns or now_ns)

    def happened(self, fd: int, mask: int, now_ns: int) -> None:
        """Take up whatever epoll said; nobody waits for what comes on a free connection."""
        if self.state[fd] == RESTING:
            if mask & ~select.EPOLLOUT:
                self._disturbed(fd, now_ns)
        else:
            super().happened(fd, mask, now_ns)

    def _disturbed(self, fd: int, now_ns: int) -> None:
        """The server closed a free connection, which it may, or sent what nobody asked for."""
        try:
            data = self.recv(fd, 64)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if data:
            fault = "bad length", f"bytes came that nobody asked for: {data!r}"
            self._count_failure(True, False, fault, now_ns)
        self._leave(fd)

    def _leave(self, fd: int) -> None:
        self._drop(fd)
        self.kept -= 1

    def _connected(self, fd: int, now_ns: int) -> None:
        """The connect came to an end: if well, the connection is free."""
        if self.state[fd] != CONNECTING:
            super()._connected(fd, now_ns)
            return
        try:
            self._check_connect(fd)
        except OSError as error:
            self._fail(fd, *fault_of(error, True), now_ns)
            return
        del self.connecting[fd]
        self.connected += 1
        self.attempts[fd] = 1  # until something is answered here
        self.rest(fd)

    def _check_connect(self, fd: int) -> None:
        """Raise OSError where the connect failed."""
        os.write(fd, b"")

    def rest(self, fd: int) -> None:
        """Leave the connection to whichever request is next."""
        self.state[fd] = RESTING
        self.free[fd] = None

    def _complete(
        self, fd: int, answer: Judged, closing: bool, whole: bytes | None, now_ns: int
    ) -> None:
        """A request that is refused leaves its connection free, as one that is answered does."""
        stays = answer.keep_alive and not closing and not self.stopping
        if stays and self.state[fd] in IN_FLIGHT_STATES:
            fault = fault_in(answer, self.plan, self.nonce[fd])
            if fault is not None and fault[0] == NO_PLACE:
                self.in_flight -= 1
                self._count_failure(False, True, fault, now_ns)
                self.state[fd] = WAITING
                self._next(fd, now_ns)
                return
        super()._complete(fd, answer, closing, whole, now_ns)

    def _next(self, fd: int, now_ns: int) -> None:
        self.rest(fd)

    def _next_elsewhere(self, fd: int, now_ns: int) -> None:
        self._leave(fd)

    def _reconnect(self, fd: int, intended_ns: int, now_ns: int) -> None:
        """Have a request that did not go wait for another connection."""
        self._leave(fd)
        if self.stopping:
            self.unsent += 1
        else:
            self.waiting.appendleft(intended_ns)

    def _fail(self, fd: int, name: str, text: str, now_ns: int) -> None:
        if self.state[fd] == CONNECTING:
            self._unopened(False, (name, text), now_ns)
            self._end(fd, now_ns)
        else:
            super()._fail(fd, name, text, now_ns)

    def _unopened(self, idle: bool, fault: tuple[str, str], now_ns: int) -> None:
        """A connect failed: so does the request that has waited longest, if one waits."""
        if not idle and self.waiting:
            self.waiting.popleft()
        else:
            idle = True  # no request's failure
        self._count_failure(idle, False, fault, now_ns)

    def _pause(self, idle: bool, attempt: int, now_ns: int) -> None:
        if idle or not self.on_demand:
            super()._pause(idle, attempt, now_ns)
        else:
            self.kept -= 1

    def _drop(self, fd: int) -> None:
        self.free.pop(fd, None)
        super()._drop(fd)

    def stop(self, now_ns: int) -> None:
        """Send what was due and has a connection; all else that was due is unsent."""
        if not self.stopping:
            while self.due_ns <= now_ns:
                self.waiting.append(self.take_due())
            while self.waiting and self.free:
                self.launch(self.free.popitem()[0], self.waiting.popleft(), now_ns)
            self.due_ns = NEVER
            self.unsent += len(self.waiting)
            self.waiting.clear()
        super().stop(now_ns)

    def _give_up(self, fd: int) -> None:
        self.unsent += self.state[fd] == SENDING
        self._drop(fd)
