"""What an edge knows of the hosts behind it: HAProxy is asked each second, and changes are told.

Never waits for an answer. nginx has nobody to ask.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable
from typing import Final

from holdfast.stack.edge_process import EdgeProcess
from holdfast.stack.loop import Loop
from holdfast.writers import haproxy

EVERY_S: Final = 1.0
_QUESTION: Final = f"show servers state {haproxy.BACKEND}"
_DOWN: Final = "0"
"""`srv_op_state` of a server that gets nothing (SRV_ST_STOPPED); above it gets something."""
_ADDRESS, _STATE, _PORT = 4, 5, 18
"""The columns of an answer's line (its version 1)."""


class Hosts:
    """Asks one process of HAProxy; `tell` is given each address whose state changes, and if it is
    up. All are taken for up at first."""

    def __init__(self, loop: Loop, tell: Callable[[str, bool], None]) -> None:
        self._loop, self._tell = loop, tell
        self._socket: socket.socket | None = None
        self._answer = b""
        self._down: frozenset[str] = frozenset()
        self._due_s = 0.0

    def step(self, process: EdgeProcess | None, now_s: float) -> float:
        """Ask the process, where it is time to and one serves; when it is the next time."""
        if now_s >= self._due_s:
            self._due_s = now_s + EVERY_S
            self.close()  # who has not answered in a second is asked again
            self._socket = None if process is None else process.asked(_QUESTION)
            self._answer = b""
            if self._socket is not None:
                self._loop.watch(self._socket.fileno(), self._heard)
        return self._due_s

    def close(self) -> None:
        """Wait for no answer any more."""
        if self._socket is not None:
            self._loop.unwatch(self._socket.fileno())
            self._socket.close()
            self._socket = None

    def _heard(self) -> None:
        assert self._socket is not None
        data = b""
        with contextlib.suppress(OSError):
            data = self._socket.recv(65_536)
        self._answer += data
        if data:
            return
        self.close()
        seen = states(self._answer.decode())
        down = frozenset(address for address, up in seen.items() if not up)
        for address in sorted(seen):
            if (address in down) != (address in self._down):
                self._tell(address, address not in down)
        self._down = down if seen else self._down


def states(answer: str) -> dict[str, bool]:
    """Whether each server is up, by its address and port; none where it is no answer."""
    found = {}
    for words in map(str.split, answer.splitlines()):
        if len(words) > _PORT and words[1] == haproxy.BACKEND:
            host = f"[{words[_ADDRESS]}]" if ":" in words[_ADDRESS] else words[_ADDRESS]
            found[f"{host}:{words[_PORT]}"] = words[_STATE] != _DOWN
    return found
