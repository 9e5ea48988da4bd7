"""The common cases, and nothing else: an answer like one seen before, and a request that is due.

This is where a request's cost is made: whatever else happens to a client, `clients` decides. Must
not know ticks, nor when to wait.
"""

from __future__ import annotations

import select
import time
from collections.abc import Callable, Iterator
from typing import Final

from holdfast.load.clients import Clients
from holdfast.load.histogram import index_of
from holdfast.load.ledger import RESTING, WAITING
from holdfast.load.paced import Paced

MOST_EVENTS: Final = 64
"""A batch of so many takes about 0.4 ms: by so much a request may go later than is written down."""
_READY: Final = select.EPOLLIN | select.EPOLLOUT

Events = list[tuple[int, int]]


def _good(clients: Clients) -> Callable[[Events, int], Iterator[int]]:
    """What yields the descriptor of each good answer like one seen before, and settles the rest."""
    state, nonces, layouts = clients.state, clients.nonce, clients.layouts
    happened, read = clients.happened, clients.recv

    def good(events: Events, now: int) -> Iterator[int]:
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
            yield fd

    return good


def asker(clients: Clients) -> Callable[[Events, int], int]:
    """What handles a batch of events and returns how many requests were answered and sent again.

    One look at the clock serves a batch: an answer counts as readable when epoll said so, and then
    the next request should go, and goes. So its two times are one, counted once (`prompt`); and
    requests that went in one batch mostly come back in one, so that they are counted together.
    """
    sent, prompt, nonces = clients.sent_ns, clients.board.prompt, clients.nonce
    template, only_nonce, fixed = clients.template, clients.only_nonce, clients.fixed
    good, draw, render, write = _good(clients), clients.draw, clients.render, clients.send

    def answer(events: Events, now: int) -> int:
        again = alike = before = 0
        for fd in good(events, now):
            since = sent[fd]
            if since is before:
                alike += 1
            else:
                if alike:
                    prompt[index_of(now - before)] += alike
                before, alike = since, 1
            sent[fd] = now
            request = fixed
            if not request:
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


def dispatcher(clients: Clients) -> Callable[[Events, int], int]:
    """What hands each event on, where one brings the answers of many clients: none is common."""
    happened = clients.happened

    def answer(events: Events, now: int) -> int:
        for fd, mask in events:
            happened(fd, mask, now)
        return 0

    return answer


def taker(clients: Paced) -> Callable[[Events, int], None]:
    """What handles a batch of events by rate: an answer leaves its connection free."""
    state, free, good = clients.state, clients.free, _good(clients)
    sent, intended = clients.sent_ns, clients.intended_ns
    response, service = clients.board.response, clients.board.service

    def answer(events: Events, now: int) -> None:
        answered = 0
        for fd in good(events, now):
            response[index_of(now - intended[fd])] += 1
            service[index_of(now - sent[fd])] += 1
            state[fd] = RESTING
            free[fd] = None
            answered += 1
        clients.answered += answered
        clients.in_flight -= answered

    return answer


def sender(clients: Paced) -> Callable[[], int]:
    """What sends the requests that are due, some at once, and returns the time after them."""
    waiting, free, late = clients.waiting, clients.free, clients.board.late
    state, attempts, nonces = clients.state, clients.attempts, clients.nonce
    sent, intended = clients.sent_ns, clients.intended_ns
    fixed, draw, render = clients.fixed, clients.draw, clients.render
    clock, take_due, write = time.monotonic_ns, clients.take_due, clients.send

    def send() -> int:
        now = clock()
        for _ in range(MOST_EVENTS):
            if waiting and free:
                due = waiting.popleft()
            elif clients.due_ns > now:
                break
            else:
                due = take_due()
                if not free:
                    waiting.append(due)
                    continue
                late[index_of(now - due)] += 1
            fd, _ = free.popitem()
            if attempts[fd]:
                clients.launch(fd, due, now)
                continue
            state[fd] = WAITING
            sent[fd], intended[fd] = now, due
            request = fixed
            if not request:
                nonces[fd] = number = draw(64)
                request = render(number)
            try:
                written = write(fd, request)
            except OSError:
                written = 0
            if written == len(request):
                clients.sent += 1
                clients.in_flight += 1
            else:
                clients.write(fd, request[written:], now)
            now = clock()
        if waiting:
            clients.want(now)
        return now

    return send
