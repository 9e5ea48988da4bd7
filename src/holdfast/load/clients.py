"""What happens to a client: opening, first requests, odd answers, failures, ends.

The loop does the common case, WAITING to WAITING, by itself and calls here for the rest. Must not
know ticks, or how many clients are wanted. A client that ended is opened again: at once when the
server closed after an answer, else after a pause.
"""

from __future__ import annotations

import os
import random
import select
from collections.abc import Callable
from itertools import takewhile
from typing import TYPE_CHECKING, Final

from holdfast.load.connection import ALERT, CLOSING, connect, fault_of, is_untaken
from holdfast.load.http import Answer, Garbage, Layout, layout_of, renderer, template_of
from holdfast.load.judge import fault_in
from holdfast.load.ledger import (
    CONNECTING,
    FIRST,
    FREE,
    IDLE_CONNECTING,
    IDLE_READING,
    IDLE_STATES,
    IN_FLIGHT_STATES,
    QUIET,
    READING,
    SENDING,
    TIMED_STATES,
    UNSENT_STATES,
    WAITING,
    Ledger,
)
from holdfast.load.pauses import Pauses
from holdfast.load.plan import IDLE_OCTET, OCCUPIED_OCTET, LoadPlan, source_address
from holdfast.load.shared import Board

if TYPE_CHECKING:
    from holdfast.load.judge import Judged

READ_BYTES: Final = 16_384
SMALL_READ_BYTES: Final = 479
"""With its head, an answer of so many bytes is the largest that CPython has at hand ready-made."""
MOST_LAYOUTS: Final = 4_096


class Clients(Ledger):
    """The clients of one generator process, each of which asks again when it is answered."""

    def __init__(self, plan: LoadPlan, index: int, board: Board, poller: select.epoll) -> None:
        super().__init__(board)
        self.plan, self.poller = plan, poller
        self.layouts: dict[int, Layout] = {}
        """Heads of good answers, by the answer's whole length."""
        self.usual: bytes | None = None
        """A whole good answer; the next one with the same bytes is good too."""
        self.tallied = plan.tally.lower().encode() or None
        self.read_bytes = SMALL_READ_BYTES
        """More than any answer in `layouts` has, so that a read which is not full is all of it."""
        self.draw = random.Random(f"{plan.seed}/{index}").getrandbits
        nonce = plan.nonce != "off"
        self.render = renderer(plan.path, plan.host, plan.ids, nonce)
        self.template = template_of(plan.path, plan.host, nonce)
        self.only_nonce = nonce and "{id}" not in plan.path
        """The template takes the nonce and nothing else."""
        self.fixed = b"" if nonce or "{id}" in plan.path else self.render(0)
        """The request, where each is the same."""
        self._idle_request = renderer(plan.idle_path, plan.host, 1, nonce=False)(0)
        self._target = (plan.address, plan.port)
        self._sources = [source_address(o, index) for o in (OCCUPIED_OCTET, IDLE_OCTET)]
        self._answers: dict[int, Answer] = {}
        self._unwritten: dict[int, bytes] = {}
        self._pauses = Pauses()
        self._timeouts_ns = int(plan.connect_timeout_s * 1e9), int(plan.timeout_s * 1e9)
        self.recv: Callable[[int, int], bytes] = os.read
        self.send: Callable[[int, bytes], int] = os.write
        self.stopping = False
        self.on_demand = False
        """Connections are opened when requests want them, not when the fleet allows them."""

    def open(self, idle: bool, now_ns: int, attempt: int = 0, intended_ns: int = 0) -> None:
        """Begin to connect one client; its request is intended from now on, or was already."""
        if not idle and not intended_ns:
            self.intended += 1
        try:
            fd = self._dial(idle)
        except OSError as error:
            self._unopened(idle, fault_of(error, True), now_ns)
            self._pause(idle, attempt, now_ns)
            return
        if fd >= len(self.state):
            self._grow(fd + 1)
        self.state[fd] = IDLE_CONNECTING if idle else CONNECTING
        self.attempts[fd] = attempt
        self.intended_ns[fd] = intended_ns
        self.sent_ns[fd] = self.connecting[fd] = now_ns
        self._dialled(fd, now_ns)

    def _dialled(self, fd: int, now_ns: int) -> None:
        """Where a client's connection may be there already, it goes on at once."""

    def _dial(self, idle: bool) -> int:
        """Begin to connect, and return what the client's columns are found by."""
        fd = connect(self._sources[idle], self._target)
        self.poller.register(fd, ALERT)
        return fd

    def _unopened(self, idle: bool, fault: tuple[str, str], now_ns: int) -> None:
        self._count_failure(idle, False, fault, now_ns)

    def open_new(self, idle: bool, now_ns: int) -> None:
        """Open a client that was not there before."""
        self.kept_idle += idle
        self.kept += not idle
        self.open(idle, now_ns)

    def open_again(self, now_ns: int, most: int) -> None:
        """Open clients, `most` at once, whose pause is over."""
        for idle, attempt in self._pauses.over(now_ns, most):
            self.open(idle, now_ns, attempt)

    def happened(self, fd: int, mask: int, now_ns: int) -> None:
        """Take up whatever epoll said of a descriptor, in any state."""
        state = self.state[fd]
        if state in (CONNECTING, IDLE_CONNECTING):
            self._connected(fd, now_ns)
        elif state == SENDING:
            if mask & CLOSING:
                self._fail(fd, "reset", "the server closed before it had the whole request", now_ns)
            else:
                self.write(fd, self._unwritten.pop(fd), now_ns)
        elif state != FREE and mask & ~select.EPOLLOUT:
            data = self._read(fd, now_ns)
            if data is not None:
                self.take(fd, data, mask, now_ns)

    def _connected(self, fd: int, now_ns: int) -> None:
        """The connect came to an end: if well, the first request goes at once."""
        if self.state[fd] == IDLE_CONNECTING:
            try:
                self.send(fd, self._idle_request)
            except OSError as error:
                self.lost(fd, error, now_ns)
                return
            del self.connecting[fd]
            self.state[fd] = IDLE_READING
            return
        self.nonce[fd] = number = self.draw(64)
        self.write(fd, self.render(number), now_ns)

    def _next(self, fd: int, now_ns: int) -> None:
        """Send the next request on a connection whose last one is answered."""
        self.intended += 1
        self.intended_ns[fd] = 0
        self.nonce[fd] = number = self.draw(64)
        self.write(fd, self.render(number), now_ns)

    def _next_elsewhere(self, fd: int, now_ns: int) -> None:
        """Send the next request on a new connection, since the server ends this one."""
        self.intended += 1
        self._reconnect(fd, now_ns, now_ns)

    def resume(self, fd: int, request: bytes, written: int, now_ns: int) -> None:
        """Go on where the loop, after a good answer, could not send all of the next request."""
        self.intended += 1
        self.answered += 1
        self.in_flight -= 1
        self.write(fd, request[written:], now_ns)

    def write(self, fd: int, request: bytes, now_ns: int) -> None:
        """Write a request, or the rest of one; it is sent when all of it is written."""
        state = self.state[fd]
        try:
            rest = request[self.send(fd, request) :]
        except BlockingIOError:
            rest = request
        except OSError as error:
            if state in (CONNECTING, SENDING):
                self.lost(fd, error, now_ns)
            else:  # closed between requests
                self._reconnect(fd, self.intended_ns[fd] or now_ns, now_ns)
            return
        if state == CONNECTING:
            del self.connecting[fd]
            self.connected += 1
        if rest:
            self._unwritten[fd] = rest
            self.state[fd] = SENDING
            return
        self.sent_ns[fd] = now_ns
        self.sent += 1
        self.in_flight += 1
        self.state[fd] = WAITING if state == WAITING else FIRST

    def _read(self, fd: int, now_ns: int) -> bytes | None:
        """What is there to read; None when there is nothing, or the connection broke."""
        try:
            return self.recv(fd, READ_BYTES)
        except BlockingIOError:
            return None
        except OSError as error:
            self.lost(fd, error, now_ns)
            return None

    def take_begun(self, fd: int, data: bytes, asked: int, mask: int, now_ns: int) -> None:
        """Take what the loop read; where it got all that it asked for, with what is behind it."""
        if len(data) == asked:
            try:
                data += self.recv(fd, READ_BYTES - asked)
            except BlockingIOError:
                pass
            except OSError as error:
                self.lost(fd, error, now_ns)
                return
        self.take(fd, data, mask, now_ns)

    def take(self, fd: int, data: bytes, mask: int, now_ns: int) -> None:
        """Take what was read, and read on while there may be more: an edge is told only once."""
        more: bytes | None = data
        while more:
            if self.state[fd] != QUIET and self._received(fd, more, mask, now_ns):
                return
            if len(more) < READ_BYTES and not mask & CLOSING:
                return
            more = self._read(fd, now_ns)
        if more is not None:
            self._ended(fd, now_ns)

    def _received(self, fd: int, data: bytes, mask: int, now_ns: int) -> bool:
        """Feed the answer; True when that settled the request, one way or the other."""
        known = self._answers.pop(fd, None)
        answer = known or Answer(self.tallied)
        try:
            complete = answer.feed(data)
        except Garbage as error:
            self._fail(fd, "garbage", f"the answer {error}", now_ns)
            return True
        if complete:
            whole = data if known is None and len(data) < READ_BYTES else None
            self._complete(fd, answer, bool(mask & CLOSING), whole, now_ns)
            return True
        self._answers[fd] = answer
        if self.state[fd] != IDLE_READING:
            self.state[fd] = READING
        return False

    def _complete(
        self, fd: int, answer: Judged, closing: bool, whole: bytes | None, now_ns: int
    ) -> None:
        """Judge a complete answer; the client asks again at once, on a new connection if needed."""
        closing = closing or not answer.keep_alive
        if self.state[fd] == IDLE_READING:
            if closing:
                self._idle_ended(fd, now_ns)
            else:
                self.state[fd] = QUIET
                self.attempts[fd] = 0
                self.idle += 1
            return
        fault = fault_in(answer, self.plan, self.nonce[fd])
        if fault is not None:
            self._fail(fd, *fault, now_ns)
            return
        self.in_flight -= 1
        self.answered += 1
        self.record(fd, now_ns)
        if self.tallied is not None:
            self.board.tally.count(answer.value)
        self.attempts[fd] = 0
        self.state[fd] = WAITING
        if self.stopping:
            self._drop(fd)
        elif closing:
            self._next_elsewhere(fd, now_ns)
        else:
            if whole is not None and self.tallied is None:
                self._learn(whole, answer.nonce)
            self._next(fd, now_ns)

    def _learn(self, whole: bytes, nonce: bytes | None) -> None:
        layout = layout_of(whole, nonce)
        if layout is not None:
            if len(self.layouts) >= MOST_LAYOUTS:
                self.layouts.clear()
            self.layouts[len(whole)] = layout
            self.usual = None if layout.has_nonce else whole
            self.read_bytes = max(self.read_bytes, len(whole) + 1)

    def lost(self, fd: int, error: OSError, now_ns: int) -> None:
        """The connection broke, which is a failure of whatever was not complete."""
        if not self._is_excused(fd, now_ns):
            connecting = self.state[fd] in (CONNECTING, IDLE_CONNECTING)
            self._fail(fd, *fault_of(error, connecting), now_ns)

    def _ended(self, fd: int, now_ns: int) -> None:
        """The server closed in good order, which may be what ends an answer."""
        answer = self._answers.pop(fd, None)
        if answer is not None and answer.close():
            self._complete(fd, answer, True, None, now_ns)
        elif not self._is_excused(fd, now_ns):
            where = f"in the answer {answer}" if answer else "before it answered"
            self._fail(fd, "closed early", f"the server closed {where}", now_ns)

    def _is_excused(self, fd: int, now_ns: int) -> bool:
        """Whether a connection's end is no failure, and then go on from there.

        An idle client may be closed. So may a connection between requests: one that went all the
        same, and that the server's kernel never took, is taken back and goes once more.
        """
        state = self.state[fd]
        if state == QUIET:
            self._idle_ended(fd, now_ns)
        elif state == WAITING and is_untaken(fd):
            self.sent -= 1
            self.in_flight -= 1
            self._reconnect(fd, self.intended_ns[fd] or self.sent_ns[fd], now_ns)
        else:
            return False
        return True

    def _reconnect(self, fd: int, intended_ns: int, now_ns: int) -> None:
        """Connect at once for a request that is intended and not sent."""
        self._drop(fd)
        if self.stopping:
            self.unsent += 1
        else:
            self.open(False, now_ns, intended_ns=intended_ns)

    def _idle_ended(self, fd: int, now_ns: int) -> None:
        self.idle_closed += 1
        self._end(fd, now_ns)

    def _fail(self, fd: int, name: str, text: str, now_ns: int) -> None:
        state = self.state[fd]
        sent = state in IN_FLIGHT_STATES
        if sent:
            self.in_flight -= 1
        self._count_failure(state in IDLE_STATES, sent, (name, text), now_ns)
        self._end(fd, now_ns)

    def _end(self, fd: int, now_ns: int) -> None:
        """Close a client that is to come back after a pause."""
        idle, attempt = self.state[fd] in IDLE_STATES, self.attempts[fd]
        self._drop(fd)
        self._pause(idle, attempt, now_ns)

    def _pause(self, idle: bool, attempt: int, now_ns: int) -> None:
        if not self.stopping:
            self._pauses.add(idle, attempt, now_ns)

    def _drop(self, fd: int) -> None:
        """Close a client's connection for good."""
        state = self.state[fd]
        if state in IDLE_STATES:
            self.idle -= state == QUIET
        else:
            self.connected -= state != CONNECTING
        self.connecting.pop(fd, None)
        self.state[fd] = FREE
        self._answers.pop(fd, None)
        self._unwritten.pop(fd, None)
        self._hang_up(fd)

    def _hang_up(self, fd: int) -> None:
        os.close(fd)

    def expire(self, now_ns: int) -> None:
        """Fail what has waited too long for its connect or its answer.

        Looks at the connects from the oldest on, and at every client only if answers may time out.
        """
        connect_ns, answer_ns = self._timeouts_ns
        overdue = takewhile(lambda item: now_ns - item[1] > connect_ns, self.connecting.items())
        for fd, _ in list(overdue):
            self._fail(fd, "connect timeout", "the connect was not answered", now_ns)
        if not answer_ns:
            return
        for fd, state in enumerate(self.state):
            if state in TIMED_STATES and now_ns - self.sent_ns[fd] > answer_ns:
                self._fail(fd, "timeout", "the answer did not come in time", now_ns)

    def stop(self, now_ns: int) -> None:
        """Send nothing more; wait only for what is in flight."""
        if self.stopping:
            return
        self.stopping = True
        self.layouts.clear()
        self.usual = None
        self._pauses.clear()
        for fd, state in enumerate(self.state):
            if state in UNSENT_STATES:
                self._give_up(fd)

    def _give_up(self, fd: int) -> None:
        self.unsent += 1
        self._drop(fd)
