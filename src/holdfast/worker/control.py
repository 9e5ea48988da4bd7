"""The worker's end of the socket to its supervisor: one JSON message a line, both ways."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable

from holdfast.wire import DRAIN, READY, decode, encode
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

    def listen(self, on_drain: Callable[[], None]) -> None:
        """From now on call `on_drain` when the supervisor asks for it. Needs a running loop."""
        self._socket.setblocking(False)
        asyncio.get_running_loop().add_reader(self._socket.fileno(), self._hear, on_drain)
        self.say(READY)

    def _send(self, message: dict[str, object]) -> None:
        with contextlib.suppress(OSError):
            self._socket.sendall(encode(message))

    def _hear(self, on_drain: Callable[[], None]) -> None:
        try:
            data = self._socket.recv(4096)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        messages, self._buffer = decode(self._buffer + data)
        if not data:
            asyncio.get_running_loop().remove_reader(self._socket.fileno())
        if not data or any(message.get("type") == DRAIN for message in messages):
            on_drain()
