"""Connections by descriptors: found without anybody's word, and looked at no more than needed."""

from __future__ import annotations

import contextlib
import os
import socket

from holdfast.worker.accepted import Accepted


class Counting(Accepted):
    """Counts how often a descriptor is looked at."""

    looks = 0

    def _is_one(self, descriptor: int) -> bool:
        self.looks += 1
        return super()._is_one(descriptor)


def test_accepted_connections_are_those_that_are_open() -> None:
    """Neither the listener, nor a client's own end, nor another file is one; 0 once all closed."""
    with contextlib.ExitStack() as undo, socket.create_server(("127.0.0.1", 0)) as listener:
        undo.enter_context(open("/dev/null"))
        ends = []
        for _ in range(3):
            undo.enter_context(socket.create_connection(listener.getsockname()))
            ends.append(undo.enter_context(listener.accept()[0]))
        accepted = Accepted(listener.getsockname())
        assert accepted.left() >= 3
        for end in ends[:2]:
            end.close()
        assert accepted.left() >= 1
        ends[2].close()
        undo.enter_context(open("/dev/null"))  # a closed one's number is another file's now
        assert accepted.left() == 0


def test_a_drain_looks_at_each_connection_once() -> None:
    """While nothing closes, a look is one; all together cost as much as there are connections."""
    with contextlib.ExitStack() as undo, socket.create_server(("127.0.0.1", 0)) as listener:
        ends = []
        for _ in range(300):
            undo.enter_context(socket.create_connection(listener.getsockname()))
            ends.append(undo.enter_context(listener.accept()[0]))
        accepted = Counting(listener.getsockname())
        opened = len(os.listdir("/proc/self/fd"))
        accepted.left()
        first, times = accepted.looks, 1_000
        for _ in range(times):
            assert accepted.left() >= 300
        assert accepted.looks == first + times
        for end in ends:
            end.close()
        assert accepted.left() == 0
        assert accepted.looks <= first + times + opened
