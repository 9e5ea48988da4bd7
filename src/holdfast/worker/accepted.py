"""The connections of a listening socket, by the descriptors of this process.

For an engine that does not say which it has. Decides nothing.
"""

from __future__ import annotations

import contextlib
import os
import socket


class Accepted:
    """Connections accepted at `address`, by a process that accepts no more there.

    All descriptors are looked at once, and then only as many as have closed and one: so a drain
    that looks again and again costs as much as it has connections, not as often as it looks.
    """

    def __init__(self, address: object) -> None:
        self._address = address
        self._descriptors: list[int] | None = None

    def left(self) -> int:
        """How many are open, at most; 0 once none is."""
        if self._descriptors is None:
            self._descriptors = [int(name) for name in os.listdir("/proc/self/fd")]
        while self._descriptors and not self._is_one(self._descriptors[-1]):
            self._descriptors.pop()
        return len(self._descriptors)

    def _is_one(self, descriptor: int) -> bool:
        """Whether it is open and one of them; its number may be another file's by now."""
        with contextlib.suppress(OSError), socket.socket(fileno=os.dup(descriptor)) as opened:
            listens = opened.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
            return opened.getsockname() == self._address and not listens
        return False
