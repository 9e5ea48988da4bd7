"""A client of websockets, and one of event streams, on blocking sockets."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator

from wsproto import ConnectionType, WSConnection
from wsproto.events import (
    AcceptConnection,
    CloseConnection,
    Event,
    Message,
    Ping,
    RejectConnection,
    RejectData,
    Request,
    TextMessage,
)

WHOLE = b"0\r\n\r\n"
"""The last chunk: a body that ends with it was ended by its server."""

MOST = 2**16


class Websocket:
    """One that is open, or was refused with `status` and `headers`."""

    def __init__(self, port: int, path: str = "/ws/") -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        self._wire = WSConnection(ConnectionType.CLIENT)
        self._came: list[Event] = []
        self.headers: dict[str, str] = {}
        self.socket.sendall(self._wire.send(Request(host="x", target=path)))
        said = self._next()
        self.status = 101 if isinstance(said, AcceptConnection) else 0
        if isinstance(said, RejectConnection):
            self.status = said.status_code
            self.headers = {name.decode(): value.decode() for name, value in said.headers}

    def send(self, text: str) -> None:
        """Send a message."""
        self.socket.sendall(self._wire.send(Message(data=text)))

    def read(self) -> str | int:
        """The next message, or the code with which the server closes: 1006 where it says none."""
        said = self._next()
        while isinstance(said, Ping):
            self.socket.sendall(self._wire.send(said.response()))
            said = self._next()
        if isinstance(said, TextMessage):
            return said.data if said.message_finished else said.data + str(self.read())
        assert isinstance(said, CloseConnection), said
        with contextlib.suppress(Exception):
            self.socket.sendall(self._wire.send(said.response()))
        return said.code

    def close(self) -> None:
        """Go away without a word."""
        self.socket.close()

    def _next(self) -> Event:
        while not self._came:
            try:
                data = self.socket.recv(65_536)
            except ConnectionResetError:
                data = b""
            if not data:
                return CloseConnection(code=1006)
            self._wire.receive_data(data)
            self._came += [one for one in self._wire.events() if not isinstance(one, RejectData)]
        return self._came.pop(0)


class Stream:
    """An event stream: `came` is the whole answer so far."""

    def __init__(self, port: int, path: str = "/events") -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        self.socket.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        self.came = b""

    def read_until(self, wanted: bytes) -> None:
        """Read until this has come; raises ConnectionError where the stream ends before."""
        while wanted not in self.came:
            data = self.socket.recv(65_536)
            if not data:
                raise ConnectionError(f"ended with {self.came[-80:]!r}")
            self.came += data
            assert len(self.came) < MOST, "it never comes"

    def close(self) -> None:
        self.socket.close()


@contextlib.contextmanager
def lasting(
    port: int, count: int, paths: tuple[str, str] = ("/ws/", "/events")
) -> Iterator[tuple[list[Websocket], list[Stream]]]:
    """So many websockets that have echoed, and so many streams that have begun."""
    with contextlib.ExitStack() as undo:
        sockets, streams = [], []
        for _ in range(count):
            one = Websocket(port, paths[0])
            undo.callback(one.close)
            one.send("hello")
            assert one.read() == "hello"
            sockets.append(one)
            stream = Stream(port, paths[1])
            undo.callback(stream.close)
            stream.read_until(b"1\n\n")
            streams.append(stream)
        yield sockets, streams
