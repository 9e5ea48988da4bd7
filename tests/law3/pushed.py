"""Clients of a running stack, and where each of their requests is at every step.

A request is in the app, answered, closed, or counted where it waits; nothing is inferred from time.
"""

from __future__ import annotations

import math
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Protocol

from holdfast.model.limit import Act
from tests.helpers import wait_until
from tests.law3.crowd import CLOSED, Crowd
from tests.law3.running import Counts
from tests.law3.streams import StreamsClient


class Run(Protocol):
    """Processes that run: where clients dial, what the app counts, and whether all sleep."""

    listens: list[str]
    servers: list[str]

    @property
    def address(self) -> tuple[str, int] | str: ...
    def ask(self, word: str = "state") -> Counts: ...
    def in_flight(self) -> int: ...
    def in_queue(self, place: str) -> int: ...
    def processes(self, hop: str) -> list[int]: ...
    def rests(self) -> bool: ...
    def signal(self, who: str, what: signal.Signals) -> None: ...
    def waiting_at_edge(self) -> int | None:
        """Requests in queues that the run can see into; None where it sees into none."""

    def log(self) -> str: ...


class Stack(Protocol):
    """What can be run and pushed: how its clients are, who stands still, and how it is started."""

    @property
    def streams(self) -> float: ...
    @property
    def idle(self) -> int: ...
    @property
    def stopped(self) -> str: ...
    def settings(self) -> str: ...
    def started(self) -> AbstractContextManager[Run]: ...


class Pushed:
    """A running stack's clients; `may_wait`: requests may wait at the edge for long."""

    def __init__(self, stack: Stack, run: Run, own: ExitStack, *, may_wait: bool) -> None:
        self.stack, self.run, self._may_wait = stack, run, may_wait
        self.crowd = own.enter_context(Crowd(run.address))
        self.idlers = own.enter_context(Crowd(run.address))
        self._streams: list[StreamsClient] = []
        self.asked = 0
        for _ in range(stack.idle):
            self._one_idle()

    def _one_idle(self) -> None:
        """Let one client have its answer and stay.

        One after the other, since idle clients that ask all at once are requests in flight first,
        and may meet the wall that they are to stand before.
        """
        self.idlers.ask(1, "/now", stays=True)
        self.wait(lambda: not self.idlers.waiting, "an idle client has its answer")
        assert not self.idlers.failed, f"{self.idlers.fates} {self}"

    def wait(self, condition: Callable[[], object], what: str) -> None:
        """Serve the clients until the condition holds."""

        def once() -> object:
            self.crowd.step()
            self.idlers.step()
            return condition()

        try:
            wait_until(once, what=what)
        except AssertionError as late:
            raise AssertionError(f"{late}: {self}") from late

    def open(self, count: int, *, connections: int = 0) -> None:
        """Send so many requests, as many on a connection as the stack says."""
        self.asked += count
        if self.stack.streams == 1:
            self.crowd.ask(count)
            return
        connections = connections or math.ceil(count / self.stack.streams)
        for n in range(connections):
            each = count // connections + (n < count % connections)
            self._streams.append(StreamsClient(self.crowd, "/", each))
            self.crowd.step()

    def one_more(self) -> None:
        """Send one request and wait until it is somewhere."""
        if self.stack.streams == 1:
            self.open(1)
        else:
            self.asked += 1
            self._streams[self.asked % len(self._streams)].more()
        self.settle()

    def settle(self) -> None:
        """Wait until each request is in the app, answered, or counted where it waits."""
        self.wait(lambda: self.accounted() == self.asked, f"all {self.asked} are accounted for")

    def accounted(self) -> int:
        """Requests whose place is known; to wait is none where nobody is to wait for long.

        Nor while a process has work to do, or a client: who is in an accept queue then may be let
        in yet.
        """
        if not self._may_wait:
            return self.run.in_flight() + self.crowd.failed
        if not self.run.rests() or self.crowd.step():
            return -1
        return self.run.in_flight() + self.crowd.failed + self.waiting()

    def waiting(self) -> int:
        """Requests that wait: as the run counts them, or all that are nowhere else."""
        seen = self.run.waiting_at_edge()
        if seen is None:
            return self.asked - self.run.in_flight() - self.crowd.fates.total()
        return seen

    @property
    def queues(self) -> list[str]:
        """The listening sockets of who is to stand still."""
        return self.run.servers if self.stack.stopped == "app" else self.run.listens

    def stop_still(self) -> None:
        """Stop who is to stand still, once nothing is left to accept."""
        self.wait(lambda: not sum(map(self.run.in_queue, self.queues)), "nothing waits")
        self.run.signal(self.stack.stopped, signal.SIGSTOP)

    def go_on(self) -> None:
        """Let who stands still go on."""
        self.run.signal(self.stack.stopped, signal.SIGCONT)

    def acts(self) -> set[Act]:
        """What those met that were not let in."""
        found = {Act.QUEUES} if self.waiting() else set()
        closed = self.crowd.fates[CLOSED]
        found |= {Act.CLOSES} if closed else set()
        found |= {Act.REFUSES} if self.crowd.failed > closed else set()
        return found

    def finish(self) -> None:
        """Let all go: whoever waits gets the answer."""
        self.run.ask("all")
        self.wait(lambda: self.crowd.waiting == 0, "all that wait are answered")

    def __str__(self) -> str:
        waiting, fates = self.waiting(), dict(self.crowd.fates)
        return (
            f"{self.run.ask()}, {waiting} wait, {fates}, of {self.stack.idle} idle "
            f"clients {self.idlers.left} were closed; {self.stack.settings()}; {self.run.log()}"
        )


@contextmanager
def pushed(stack: Stack, *, may_wait: bool) -> Iterator[Pushed]:
    """A stack that runs, with its clients."""
    with ExitStack() as own:
        run = own.enter_context(stack.started())
        yield Pushed(stack, run, own, may_wait=may_wait)
