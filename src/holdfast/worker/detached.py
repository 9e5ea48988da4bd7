"""What lasts in a Tornado app: connections that became websockets, and streams of events."""

from __future__ import annotations

import asyncio
import contextlib
import struct
from collections.abc import Callable
from typing import Any, Final

from tornado.http1connection import HTTP1Connection
from tornado.iostream import IOStream, StreamClosedError

from holdfast.worker.lasting import NOTICE_S, RESTART, Websockets, ends_an_event

_REASON: Final = b"service restart"
_CLOSE: Final = struct.pack("!BBH", 0x88, 2 + len(_REASON), RESTART) + _REASON
"""A whole frame of a server, which is not masked (RFC 6455, 5.5.1). Tornado writes whole messages,
so it comes between two of them; the client's answer is heard by Tornado, which then closes."""


class Detached:
    """A connection that a handler has taken over: `over` is called when it closes."""

    def __init__(self, stream: IOStream, open_ones: Websockets, over: Callable[[], None]) -> None:
        self._stream, self._open_ones, self._over = stream, open_ones, over
        open_ones.add(self)
        stream.set_close_callback(self._closed)

    def end(self) -> None:
        """Close it with 1012; the client may answer."""
        asyncio.get_running_loop().call_later(NOTICE_S, self._stream.close)
        with contextlib.suppress(StreamClosedError):
            self._stream.write(_CLOSE)

    def _closed(self) -> None:
        self._open_ones.remove(self)
        self._over()


class Streaming:
    """An answer that is a stream of events, which `finish` ends."""

    def __init__(self, inner: HTTP1Connection, finish: Callable[[], None]) -> None:
        self._inner, self._finish = inner, finish
        self._is_ending = False
        self._is_whole = True
        self.has_ended = False
        """Whether a drain has ended it, whatever the handler does."""

    def write(self, chunk: bytes) -> Any:
        """Send a part; after the end it fails as it does where the client has left."""
        if self.has_ended:
            gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            gone.set_exception(StreamClosedError())
            gone.exception()  # a handler that does not wait for it is not told so in the log
            return gone
        sent = self._inner.write(chunk)
        self.sent(chunk)
        return sent

    def sent(self, chunk: bytes) -> None:
        """So much more was sent."""
        self._is_whole = ends_an_event(chunk) if chunk else self._is_whole
        if self._is_ending:
            self._end()

    def end(self) -> None:
        """End the answer after the event that is being sent, if one is; its handler is told."""
        self._is_ending = True
        asyncio.get_running_loop().call_later(NOTICE_S, self._give_up)
        self._end()

    def _end(self) -> None:
        if self._is_whole and not self.has_ended:
            left: Callable[[], None] | None = self._inner._close_callback
            self._finish()
            self.has_ended = True
            if left is not None:
                left()

    def _give_up(self) -> None:
        if not self.has_ended:
            self._inner.stream.close()
