"""Tornado's own HTTP server for Tornado applications, on uvloop.

A request starts when its headers have come, and is finished when its handler has finished it.
"""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Awaitable
from http import HTTPStatus
from typing import Any, Final

from tornado import httputil
from tornado.http1connection import HTTP1Connection
from tornado.httpserver import HTTPServer

from holdfast.wire import FINISHED, NONCE_HEADER, REFUSED, STARTED, WAITING
from holdfast.worker import aio
from holdfast.worker.admission import BODY, REASON, STATUS, refusal
from holdfast.worker.asked import Asked
from holdfast.worker.detached import Detached, Streaming
from holdfast.worker.held import Held
from holdfast.worker.lasting import is_event_stream
from holdfast.worker.leaving import is_waiting
from holdfast.worker.line import Line, Turn

AT_ONCE: Final = 128
"""Connections that are accepted before other work has its turn: Tornado's own number."""
PAUSE_S: Final = 1.0
"""How long nobody is accepted once there is no descriptor: asyncio's own time."""
OUT_OF: Final = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}


def serve(asked: Asked) -> int:
    """Serve until a drain is over; a server of its own in the same loop answers the probe."""
    return aio.run(_Server(asked).run(), asked)


def _accept(server: HTTPServer, listener: socket.socket) -> None:
    """Accept for the server, which its `stop` ends.

    Tornado's own handler tries again at once, and logs each time, where there is no descriptor:
    this one pauses, as asyncio does.
    """
    loop = asyncio.get_running_loop()
    timers: list[asyncio.TimerHandle] = []

    def accept() -> None:
        for _ in range(AT_ONCE):
            try:
                server._handle_connection(*listener.accept())
            except (BlockingIOError, ConnectionAbortedError):
                return
            except OSError as error:
                if error.errno not in OUT_OF:
                    raise
                loop.remove_reader(listener)
                timers[:] = [loop.call_later(PAUSE_S, loop.add_reader, listener, accept)]
                return

    def end() -> None:
        for timer in timers:
            timer.cancel()
        loop.remove_reader(listener)

    loop.add_reader(listener, accept)
    server._sockets[listener.fileno()] = listener
    server._handlers[listener.fileno()] = end


class _Server(Held, httputil.HTTPServerConnectionDelegate):
    """Hands connections on to the app, counts, and is the door to them."""

    __slots__ = ("_asked", "_busy", "_server", "line")

    def __init__(self, asked: Asked) -> None:
        super().__init__(asked.words, asked.identity)
        self._asked = asked
        self._busy: set[object] = set()
        self.line = None if asked.places is None else Line(asked.places)

    async def run(self) -> None:
        """Serve, and drain."""
        aio.die_before_serving()
        asked = self._asked
        probe = HTTPServer(self._answer_probe)
        self._server = HTTPServer(
            self, xheaders=asked.behind_edge, idle_connection_timeout=asked.keep_alive_s
        )
        for server, listener in ((probe, asked.private), (self._server, asked.listener)):
            listener.setblocking(False)
            listener.listen(asked.backlog)
            _accept(server, listener)
        await aio.stay(asked, self, self)

    def start_request(
        self, server_conn: object, request_conn: httputil.HTTPConnection
    ) -> httputil.HTTPMessageDelegate:
        """A connection waits for its next request."""
        assert isinstance(request_conn, HTTP1Connection)
        counted = _Connection(self, server_conn, request_conn)
        app: httputil.HTTPServerConnectionDelegate = self._asked.app  # type: ignore[assignment]
        inner = app.start_request(server_conn, counted)  # type: ignore[arg-type]
        return _Message(counted, inner) if self.line is None else _Admitted(counted, inner, self)

    def _answer_probe(self, request: httputil.HTTPServerRequest) -> None:
        body = self.probed()
        headers = httputil.HTTPHeaders({"Content-Length": str(len(body)), "Connection": "close"})
        assert request.connection is not None
        start = httputil.ResponseStartLine("HTTP/1.1", 200, "OK")
        request.connection.write_headers(start, headers, body)
        request.connection.finish()

    def begin(self, server_conn: object) -> None:
        """Count a request as started."""
        self._busy.add(server_conn)
        self._words[STARTED] += 1

    def end(self, server_conn: object) -> None:
        """Count it as finished."""
        self._busy.discard(server_conn)
        self._words[FINISHED] += 1

    def count(self, word: int, by: int = 1) -> None:
        """Count one that waits, or that was refused."""
        self._words[word] += by

    def waiting(self) -> bool:
        return is_waiting(self._asked.listener.fileno())

    def close(self) -> None:
        self._server.stop()

    def open(self) -> int:
        return len(self._server._connections)

    def finish(self) -> None:
        for connection in self._server._connections - self._busy:
            connection.stream.close()

    def cut(self) -> None:
        """Close all; the loop cancels handlers at its end."""
        for connection in tuple(self._server._connections):
            connection.stream.close()


class _Connection:
    """One request's side of a connection as its handler has it: all of it, but counted."""

    def __init__(self, server: _Server, server_conn: object, inner: HTTP1Connection) -> None:
        self._server, self._server_conn, self._inner = server, server_conn, inner
        self._is_counted = False
        self._nonce: str | None = None
        self.line: Line | None = None
        """Where its place is from, if it has one."""
        self._is_upgraded = False
        self._stream: Streaming | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def begin(self, headers: httputil.HTTPHeaders) -> None:
        """The request's headers have come."""
        self._nonce = headers.get(NONCE_HEADER)
        self._is_counted = True
        self._server.begin(self._server_conn)

    def end(self) -> None:
        """The request is over; counted once."""
        if self._is_counted:
            self._is_counted = False
            if self._stream is not None:
                self._server.streams.remove(self._stream)
            self._server.end(self._server_conn)
            if self.line is not None:
                self.line.leave()

    def refuse(
        self, method: str, headers: httputil.HTTPHeaders, pairs: list[tuple[str, str]]
    ) -> None:
        """Say that there is no place; the whole request has come, so its connection stays."""
        self._nonce = headers.get(NONCE_HEADER)
        start = httputil.ResponseStartLine("HTTP/1.1", STATUS, REASON)
        body = None if method == "HEAD" else BODY
        self.write_headers(start, httputil.HTTPHeaders(dict(pairs)), body)
        self._inner.finish()

    def write_headers(
        self,
        start_line: Any,
        headers: httputil.HTTPHeaders,
        chunk: bytes | None = None,
    ) -> Any:
        """The answer starts: with the nonce, and `close` in a drain."""
        if self._nonce is not None:
            headers[NONCE_HEADER] = self._nonce
        if self._server.draining:
            headers["Connection"] = "close"
            self._inner._disconnect_on_finish = True
        self._is_upgraded = start_line.code == HTTPStatus.SWITCHING_PROTOCOLS
        sent = self._inner.write_headers(start_line, headers, chunk)
        if self._is_counted and is_event_stream(headers.get("Content-Type", "")):
            self._stream = Streaming(self._inner, self.finish)
            self._stream.sent(chunk or b"")
            self._server.streams.add(self._stream)
        return sent

    def write(self, chunk: bytes) -> Any:
        """A part of the answer."""
        return (self._inner if self._stream is None else self._stream).write(chunk)

    def finish(self) -> None:
        """The answer is whole, or its handler has given up; one that upgrades has only begun."""
        if self._stream is not None and self._stream.has_ended:
            return
        try:
            self._inner.finish()
        finally:
            if not self._is_upgraded:
                self.end()

    def detach(self) -> Any:
        """A websocket takes the connection over, and is in flight until that closes."""
        stream = self._inner.detach()
        if self._is_upgraded:
            Detached(stream, self._server.websockets, self.end)
        else:
            self.end()
        return stream


class _Message(httputil.HTTPMessageDelegate):
    """Notices that a request has come, and that its client left before all of it had."""

    def __init__(self, connection: _Connection, inner: httputil.HTTPMessageDelegate) -> None:
        self._connection, self._inner = connection, inner
        self.data_received = inner.data_received  # type: ignore[method-assign]
        self.finish = inner.finish  # type: ignore[method-assign]

    def headers_received(
        self,
        start_line: httputil.RequestStartLine | httputil.ResponseStartLine,
        headers: httputil.HTTPHeaders,
    ) -> Awaitable[None] | None:
        self._connection.begin(headers)
        return self._inner.headers_received(start_line, headers)

    def on_connection_close(self) -> None:
        self._connection.end()
        self._inner.on_connection_close()


class _Admitted(_Message):
    """A message that is handed on once there is a place for it; without one it is answered here."""

    def __init__(
        self, connection: _Connection, inner: httputil.HTTPMessageDelegate, server: _Server
    ) -> None:
        super().__init__(connection, inner)
        assert server.line is not None
        self._server, self._line = server, server.line
        self._is_handed_on = False

    def headers_received(
        self,
        start_line: httputil.RequestStartLine | httputil.ResponseStartLine,
        headers: httputil.HTTPHeaders,
    ) -> Awaitable[None] | None:
        assert isinstance(start_line, httputil.RequestStartLine)
        if start_line.path.partition("?")[0] not in self._line.exempt:
            if not self._line.enter():
                return self._wait(start_line, headers)
            self._connection.line = self._line
        return self._hand_on(start_line, headers)

    def on_connection_close(self) -> None:
        if self._is_handed_on:
            super().on_connection_close()

    def _hand_on(
        self, start_line: httputil.RequestStartLine, headers: httputil.HTTPHeaders
    ) -> Awaitable[None] | None:
        self._is_handed_on = True
        return super().headers_received(start_line, headers)

    async def _wait(
        self, start_line: httputil.RequestStartLine, headers: httputil.HTTPHeaders
    ) -> None:
        turn = self._line.join()
        if turn is None or not await self._come(turn):
            self._refuse(start_line.method, headers)
            return
        self._connection.line = self._line
        handed = self._hand_on(start_line, headers)
        self._server.count(WAITING, -1)
        if handed is not None:
            await handed

    async def _come(self, turn: Turn) -> bool:
        """Whether the turn comes before the client leaves; whose does waits until it has begun."""
        stream = self._connection.stream
        self._server.count(WAITING)
        stream.set_close_callback(lambda: self._line.drop(turn))
        found = False
        try:
            found = await self._line.wait(turn)
        finally:
            if not stream.closed():
                stream.set_close_callback(None)
            if not found:
                self._server.count(WAITING, -1)
        return found

    def _refuse(self, method: str, headers: httputil.HTTPHeaders) -> None:
        """Answer once the body has come, which nobody takes: the next request is behind it."""
        self._server.count(REFUSED)
        self.data_received = lambda chunk: None  # type: ignore[method-assign]
        pairs = refusal(self._line.retry_after_s)
        self.finish = lambda: self._connection.refuse(method, headers, pairs)  # type: ignore[method-assign]
