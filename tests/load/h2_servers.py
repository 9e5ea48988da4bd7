"""HTTP/2 servers that the generator is tried on, by hyper-h2: another's reading of the protocol."""

from __future__ import annotations

from collections.abc import Callable

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import Event, RequestReceived, StreamReset
from h2.settings import SettingCodes, Settings

from tests.load.servers import NONCE, Connection

NONCE_NAME = NONCE.partition(b":")[0]


class Peer:
    """One connection of a server, as an answering function sees it."""

    def __init__(self, connection: Connection, streams: int | None = None) -> None:
        self.connection = connection
        self.h2 = H2Connection(H2Configuration(client_side=False, header_encoding=None))
        if streams is not None:
            told = {SettingCodes.MAX_CONCURRENT_STREAMS: streams}
            self.h2.local_settings = Settings(client=False, initial_values=told)
        self.h2.initiate_connection()
        self.most = self.resets = 0
        """The most streams at once, and how many the client gave up."""
        self._asked: list[RequestReceived] = []
        self._open: set[int] = set()
        self.flush()

    def flush(self) -> None:
        """Send all that hyper-h2 has to say."""
        self.connection.socket.sendall(self.h2.data_to_send())

    def request(self) -> tuple[int, dict[bytes, bytes]]:
        """Return the next request, or 0 when the client closed: its stream and its headers."""
        while not self._asked:
            data = self.connection.socket.recv(65_536)
            if not data:
                return 0, {}
            for event in self.h2.receive_data(data):
                self._take(event)
            self.flush()
        event = self._asked.pop(0)
        with self.connection.server.lock:
            self.connection.server.requests += 1
        return int(event.stream_id or 0), dict(event.headers or [])

    def _take(self, event: Event) -> None:
        if isinstance(event, RequestReceived):
            self._asked.append(event)
            self._open.add(int(event.stream_id or 0))
            self.most = max(self.most, len(self._open))
        elif isinstance(event, StreamReset):
            self.resets += 1
            self._open.discard(event.stream_id)

    def head(self, stream: int, *more: tuple[bytes, bytes], status: bytes = b"200") -> None:
        """Send the head of an answer."""
        self.h2.send_headers(stream, [(b":status", status), *more])

    def answer(self, stream: int, *more: tuple[bytes, bytes], status: bytes = b"200") -> None:
        """Send a whole answer."""
        self.head(stream, *more, status=status)
        self.h2.send_data(stream, b"ok", end_stream=True)
        self._open.discard(stream)
        self.flush()

    def raw(self, kind: int, stream: int, payload: bytes, flags: int = 0) -> None:
        """Send a frame that hyper-h2 knows nothing of."""
        size = len(payload).to_bytes(3, "big")
        head = size + bytes((kind, flags)) + stream.to_bytes(4, "big")
        self.connection.socket.sendall(head + payload)


Answer = Callable[[Peer, int, dict[bytes, bytes]], object]


def each(answer: Answer, streams: int | None = None) -> Callable[[Connection], None]:
    """Return what has each request of a connection answered by the function."""

    def serve(connection: Connection) -> None:
        peer = Peer(connection, streams)
        while True:
            stream, headers = peer.request()
            if not stream:
                return
            answer(peer, stream, headers)

    return serve


def echo(peer: Peer, stream: int, headers: dict[bytes, bytes]) -> None:
    """Answer with the nonce that came, if one did, and a length."""
    nonce = [(name, value) for name, value in headers.items() if name == NONCE_NAME]
    peer.answer(stream, *nonce, (b"content-length", b"2"))
