"""The order of a drain, step by step, with a door that is only written down."""

from __future__ import annotations

import itertools
import socket

from holdfast.wire import CUT, STARTED, decode
from holdfast.worker.control import Control
from holdfast.worker.held import Held
from holdfast.worker.leaving import LINGER_S, Leaving


class Door:
    """A door with so many in its queue and so many connections, which says what was done to it."""

    def __init__(self, queue: int = 0, connections: int = 0) -> None:
        self.queue, self.connections = queue, connections
        self.done: list[str] = []

    def waiting(self) -> bool:
        self.queue -= 1
        return self.queue >= 0

    def close(self) -> None:
        self.done.append("close")

    def open(self) -> int:
        return self.connections

    def finish(self) -> None:
        self.done.append("finish")
        self.connections = 0

    def cut(self) -> None:
        self.done.append("cut")


class Stage:
    """A drain of a worker that holds so many requests, and what its supervisor is told."""

    def __init__(self, door: Door, held: int = 0, grace_s: float = 30, idle_s: float = 0) -> None:
        words = memoryview(bytearray(64)).cast("Q")
        words[STARTED] = held
        self.held = Held(words, {})
        ours, self.supervisor = socket.socketpair()
        control = Control(ours.detach())
        self.leaving = Leaving(door, self.held, control, grace_s=grace_s, dialler_idle_s=idle_s)


def test_nothing_new_is_taken_before_idle_connections_end() -> None:
    """Answers say `close` from the first step on; the queue is taken, then the door shut."""
    door = Door(queue=3, connections=5)
    stage = Stage(door)
    steps = stage.leaving.steps()
    assert (next(steps), stage.held.draining, door.done) == (LINGER_S, True, [])
    assert (list(itertools.islice(steps, 3)), door.done) == ([LINGER_S] * 3, [])
    assert (next(steps), door.done) == (LINGER_S, ["close"])
    assert (list(steps), door.done) == ([], ["close", "finish"])
    assert not stage.leaving.was_cut


def test_idle_connections_are_left_to_the_edge_for_as_long_as_it_keeps_them() -> None:
    """Silent for the edge's idle time they are ended, and no earlier."""
    door = Door(connections=1)
    assert sum(Stage(door, idle_s=1.0).leaving.steps()) >= 1.0 + 2 * LINGER_S
    assert door.done == ["close", "finish"]


def test_a_queue_that_never_ends_is_left_after_half_of_the_grace_time() -> None:
    """A successor may share the queue: the rest of the time is for what was taken."""
    door = Door(queue=10**9)
    assert len(list(Stage(door, grace_s=0).leaving.steps())) == 2
    assert door.done == ["close", "finish"]


def test_what_outlasts_the_grace_time_is_told_and_cut() -> None:
    """The supervisor hears how many requests were in flight."""
    door = Door(connections=7)
    stage = Stage(door, held=7, grace_s=0)
    assert len(list(stage.leaving.steps())) == 2
    assert door.done == ["close", "finish", "cut"]
    assert stage.leaving.was_cut
    assert decode(stage.supervisor.recv(4096))[0] == [{"type": CUT, "requests": 7}]


def test_a_supervisor_that_is_gone_asks_for_a_drain() -> None:
    """So does a signal, which hangs up."""
    for end in (lambda stage, control: stage.close(), lambda stage, control: control.hang_up()):
        ours, supervisor = socket.socketpair()
        control = Control(ours.detach())
        end(supervisor, control)
        assert control.hear()
