"""The worker's end of the socket to its supervisor: one JSON message a line, both ways.

Imports no event loop, since what gevent replaces must not have been imported before.
"""

from __future__ import annotations

import contextlib
import socket

from holdfast.wire import DRAIN, decode, encode
from holdfast.worker.failure import Failure


class Control:
    """Tells the supervisor, and hears it; a supervisor that is gone counts as a call to drain."""

    def __init__(self, fd: int) -> None:
        self._socket = socket.socket(fileno=fd)
        self._buffer = b""

    def say(self, kind: str, **fields: object) -> None:
        """Send one message; nothing happens when the supervisor is gone."""
        self._send({"type": kind, **fields})

    def say_failed(self, kind: str, stage: str, failure: Failure) -> None:
        """Report why the app cannot be served."""
        self._send(failure.as_message(kind, stage))

    def fileno(self) -> int:
        """The descriptor that becomes readable when the supervisor has said something."""
        return self._socket.fileno()

    def setblocking(self, blocking: bool) -> None:
        """Whether `hear` waits."""
        self._socket.setblocking(blocking)

    def hear(self) -> bool:
        """Take in what was said; whether it is a call to drain."""
        try:
            data = self._socket.recv(4096)
        except BlockingIOError:
            return False
        except OSError:
            data = b""
        messages, self._buffer = decode(self._buffer + data)
        return not data or any(message.get("type") == DRAIN for message in messages)

    def hang_up(self) -> None:
        """Hear no more: whoever waits in `hear` is called to drain."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RD)

    def _send(self, message: dict[str, object]) -> None:
        with contextlib.suppress(OSError):
            self._socket.sendall(encode(message))
