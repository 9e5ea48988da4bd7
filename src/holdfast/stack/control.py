"""The control socket of a stack: takes orders, a line of JSON each, and answers who gave them.

Decides nothing: `obey` is called with each order. Nobody who is slow or silent is waited for.
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Callable
from typing import Final

import msgspec

from holdfast.model.errors import HoldfastError
from holdfast.stack.config import Failed
from holdfast.stack.loop import Loop
from holdfast.stack.orders import Answer, Order

MOST_CLIENTS: Final = 16
"""Whoever comes then takes the place of the one that has been silent for longest."""
LONGEST_ORDER: Final = 65_536
SEND_BYTES: Final = 2**20
"""What a client may leave unread: the status of 256 workers is a twentieth of it."""
_MODE: Final = 0o600


class Client:
    """Somebody who gives an order, and is told what comes of it until `end`."""

    def __init__(self, connection: socket.socket, gone: Callable[[Client], None]) -> None:
        self._socket, self._gone = connection, gone
        self.buffer = b""
        self.has_ordered = False
        self.is_open = True
        connection.setblocking(False)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BYTES)

    def fileno(self) -> int:
        """Its descriptor."""
        return self._socket.fileno()

    def tell(self, answer: Answer) -> None:
        """Send a line; who does not read what has been sent is let go."""
        if not self.is_open:
            return
        line = msgspec.json.encode(answer) + b"\n"
        try:
            is_sent = self._socket.send(line) == len(line)
        except OSError:
            is_sent = False
        if not is_sent:
            self.close()

    def end(self, answer: Answer) -> None:
        """Send the last line of an order, and let go."""
        self.tell(answer)
        self.close()

    def refuse(self, error: HoldfastError) -> None:
        """The order is not carried out; let go."""
        self.end(Failed(error.fault, error.place, error.hint, error.exit_code))

    def receive(self) -> bytes:
        """What has arrived; empty where there will be no more."""
        try:
            return self._socket.recv(LONGEST_ORDER)
        except OSError:
            return b""

    def close(self) -> None:
        """Let go; what was sent still arrives."""
        if self.is_open:
            self.is_open = False
            self._gone(self)
            self._socket.close()


class ControlSocket:
    """Listens at `path`, which only its owner may reach, as long as `loop` runs.

    `obey` is called with who orders, and what. Raises OSError where it cannot be made.
    """

    def __init__(self, path: str, loop: Loop, obey: Callable[[Client, Order], None]) -> None:
        self.path = path
        self._loop, self._obey = loop, obey
        self._clients: list[Client] = []
        self._decoder: msgspec.json.Decoder[Order] = msgspec.json.Decoder(Order)
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        with contextlib.ExitStack() as undo:
            undo.callback(self._listener.close)
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)  # of a stack that was killed: the run folder is ours alone
            before = os.umask(0o777 & ~_MODE)
            try:
                self._listener.bind(path)
            finally:
                os.umask(before)
            self._listener.listen(MOST_CLIENTS)
            undo.pop_all()
        loop.watch(self._listener.fileno(), self._come)

    def close(self) -> None:
        """Let everybody go, and remove the path."""
        self._loop.unwatch(self._listener.fileno())
        self._listener.close()
        with contextlib.suppress(OSError):
            os.unlink(self.path)
        for client in list(self._clients):
            client.close()

    def _come(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except OSError:
            return
        silent = [client for client in self._clients if not client.has_ordered]
        if len(self._clients) >= MOST_CLIENTS:
            (silent or self._clients)[0].close()
        client = Client(connection, self._left)
        self._clients.append(client)
        self._loop.watch(client.fileno(), lambda: self._heard(client))

    def _left(self, client: Client) -> None:
        self._loop.unwatch(client.fileno())
        self._clients.remove(client)

    def _heard(self, client: Client) -> None:
        data = client.receive()
        client.buffer += data
        line, end, client.buffer = client.buffer.partition(b"\n")
        if not end:
            client.buffer = line
            if not data or len(line) >= LONGEST_ORDER:
                client.close()
            return
        client.has_ordered = True
        client.buffer = b""
        try:
            order = self._decoder.decode(line)
        except msgspec.DecodeError as error:
            hint = "give it by the `holdfast` of the same release"
            client.refuse(HoldfastError(f"this is no order: {error}", hint=hint))
            return
        self._obey(client, order)
