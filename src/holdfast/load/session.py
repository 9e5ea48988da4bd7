"""One HTTP/2 connection: its phase, whose stream is whose, and bytes that are to be written.

Must not know clients' states, nor what they count.
"""

from __future__ import annotations

from collections.abc import Callable

from holdfast.load.frames import (
    END_HEADERS,
    END_STREAM,
    GREETING,
    HEADERS,
    LAST_STREAM,
    Frames,
    frame,
)

DIALLING, GREETED, OPEN, LEAVING, CLOSED = range(5)
"""DIALLING: connect or handshake under way. GREETED: until the server said how many streams it
takes. LEAVING: no new streams, those that are there finish."""

Write = Callable[[int, bytes], int]


class Session:
    """The connection of a descriptor, for `most` clients at once."""

    __slots__ = (
        "_out",
        "_writing",
        "clients",
        "fd",
        "frames",
        "most",
        "next_stream",
        "phase",
        "renewed",
        "streams",
    )

    def __init__(self, fd: int, most: int) -> None:
        self.fd, self.most, self.phase = fd, most, DIALLING
        self.clients: set[int] = set()
        """Those who ask on it, and those who will once it is open."""
        self.streams: dict[int, int] = {}
        """Whose answer a stream brings that is not complete."""
        self.next_stream = 1
        self.frames = Frames()
        self.renewed = 0
        """Bytes of bodies that the server has been given again."""
        self._out = bytearray()
        self._writing = b""

    def __repr__(self) -> str:
        phase = ("dialling", "greeted", "open", "leaving", "closed")[self.phase]
        return f"<Session {self.fd} {phase}: {len(self.clients)} of {self.most} clients>"

    @property
    def has_room(self) -> bool:
        """Whether another client may ask on it."""
        return self.phase < LEAVING and len(self.clients) < self.most

    @property
    def is_ending(self) -> bool:
        """Whether a client that is answered must ask elsewhere."""
        over = len(self.clients) > self.most or self.next_stream > LAST_STREAM
        return self.phase >= LEAVING or over

    @property
    def is_blocked(self) -> bool:
        """Whether the socket did not take all that was written."""
        return bool(self._writing)

    def greet(self) -> None:
        """Say who we are; what the server says of itself is waited for."""
        self.phase = GREETED
        self._out += GREETING

    def ask(self, client: int, request: bytes) -> int:
        """Put a request on a new stream, whose number is returned."""
        stream = self.next_stream
        self.next_stream += 2
        self.streams[stream] = client
        self._out += frame(HEADERS, END_STREAM | END_HEADERS, stream, request)
        return stream

    def say(self, data: bytes) -> None:
        """Put whole frames behind what is to be written."""
        self._out += data

    def flush(self, write: Write) -> None:
        """Write as much as the socket takes; what did not go goes first the next time."""
        try:
            while self._writing or self._out:
                if not self._writing:
                    self._writing, self._out = bytes(self._out), bytearray()
                self._writing = self._writing[write(self.fd, self._writing) :]
        except BlockingIOError:
            return
        except OSError:  # what broke the connection is read next, and told
            self._writing, self._out = b"", bytearray()
