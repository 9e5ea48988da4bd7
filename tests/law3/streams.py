"""Clients of HTTP/2 over plain TCP: one connection carries many requests, each seen by itself."""

from __future__ import annotations

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import (
    ConnectionTerminated,
    RemoteSettingsChanged,
    ResponseReceived,
    StreamEnded,
    StreamReset,
)

from tests.law3.crowd import CLOSED, Client, Crowd

HEADERS = [(":method", "GET"), (":scheme", "http"), (":authority", "here")]


class StreamsClient(Client):
    """A connection with as many requests as it was given, of which the server allows so many."""

    def __init__(self, crowd: Crowd, path: str, streams: int) -> None:
        self._http = H2Connection(H2Configuration())
        self._unsent, self._open, self._status = streams, set[int](), CLOSED
        self._greeted = False
        super().__init__(crowd, path, stays=False)

    def greet(self) -> None:
        """Say hello; requests follow once the server has said how many streams it allows."""
        self._http.initiate_connection()
        self._flush()

    def take(self, data: bytes) -> None:
        """Take frames: note each answer and reset, and send what may go now."""
        for event in self._http.receive_data(data):
            if isinstance(event, ResponseReceived):
                self._status = dict(event.headers or [])[b":status"].decode()
            elif isinstance(event, StreamEnded):
                self._answered(event.stream_id or 0, self._status)
            elif isinstance(event, StreamReset):
                self._answered(event.stream_id or 0, CLOSED)
            elif isinstance(event, ConnectionTerminated):
                self._unsent, gone = 0, self._unsent
                self.settle(CLOSED, gone)
            self._greeted |= isinstance(event, RemoteSettingsChanged)
        self._send()

    def more(self) -> None:
        """Ask once more on the same connection."""
        self._unsent += 1
        self._send()

    def _send(self) -> None:
        room = self._http.remote_settings.max_concurrent_streams if self._greeted else 0
        while self._unsent and len(self._open) < room:
            stream = self._http.get_next_available_stream_id()
            self._http.send_headers(stream, [*HEADERS, (":path", self._path)], end_stream=True)
            self._open.add(stream)
            self._unsent -= 1
        self._flush()

    def _answered(self, stream: int, fate: str) -> None:
        if stream in self._open:
            self._open.remove(stream)
            self.settle(fate)

    def _flush(self) -> None:
        self.socket.sendall(self._http.data_to_send())

    def waiting(self) -> int:
        """How many of the requests have no answer yet."""
        return self._unsent + len(self._open)
