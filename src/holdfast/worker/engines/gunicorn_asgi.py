"""The protocol of gunicorn's asgi worker, on uvloop, with ours in the place of that worker.

It lets in whoever comes, so it serves behind places only (`wire.BY_PLACES`): the shim keeps them.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Iterable
from functools import partial
from typing import Any, Final

from gunicorn.asgi import protocol
from gunicorn.glogging import Logger

from holdfast.worker import aio, gunicorn
from holdfast.worker.asked import Asked
from holdfast.worker.leaving import is_waiting
from holdfast.worker.line import Message, Receive, Send
from holdfast.worker.shim import Shim

SPOKEN: Final = "2.3"
"""The version of ASGI's HTTP part that it keeps to: from 2.4 on, `send` raises once a client has
left, and frameworks that read 2.4 listen to nothing else. gunicorn says 2.4, and raises nothing."""


def serve(asked: Asked) -> int:
    """Serve until a drain is over; the probe is answered beside gunicorn, in the app's loop."""
    shim, startup = aio.make_shim(asked)
    protocol.BodyReceiver = Body
    return aio.run(_Worker(asked, shim).run(), asked, startup)


class Body(protocol.BodyReceiver):  # type: ignore[misc]
    """A request's body, for which an app may cease to wait: one does that got its place.

    gunicorn's own then takes the client to have left, as it does 30 s after the last part; and as
    that part comes, it does not notice that nobody waits (`wait_for` before Python 3.12).
    """

    __slots__ = ()
    _waiter: Any
    _closed: Any

    async def _wait_for_data(self) -> None:
        if not (self._chunks or self._complete or self._disconnected):
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None

    async def _wait_for_disconnect(self) -> None:
        try:
            await super()._wait_for_disconnect()
        except asyncio.CancelledError:
            self._closed = self.protocol._closed
            raise


class _Connection(protocol.ASGIProtocol):  # type: ignore[misc]
    """A client's connection; it is over once its client has gone and its app has returned.

    gunicorn cancels an app 3 s after its client has left, what it does after its answer too: ours
    has the grace time. An answer that says `close` is followed by one.
    """

    worker: _Worker
    _task: Any

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.worker.connections.add(self)
        self._task.add_done_callback(self._look)

    def connection_lost(self, exc: Exception | None) -> None:
        task, self._task = self._task, None  # so that gunicorn does not cancel it
        super().connection_lost(exc)
        self._task = task
        self._request_ready.set()  # nobody asks any more,
        self._flow_control.resume_writing()  # and nobody reads
        if not task.done():
            timer = self.worker.loop.call_later(self.worker.grace_s, task.cancel)
            task.add_done_callback(lambda _: timer.cancel())
        self._look()

    def leave(self) -> None:
        """Close it, unless something is being served."""
        if self._current_request is None and not self._finishing_calls:
            self._keepalive_timeout()

    def cut(self) -> None:
        """End it, whatever is being served."""
        self._task.cancel()
        self.transport.abort()

    def _look(self, _: object = None) -> None:
        if self._conn_lost_handled and self._task.done():
            self.worker.connections.discard(self)

    def _finishing_call_done(self, task: asyncio.Task[bool]) -> None:
        super()._finishing_call_done(task)
        if not self.worker.alive:
            self.leave()

    def _send_response_start(
        self,
        status: int,
        headers: Iterable[tuple[bytes, bytes]],
        request: Any,
        close: bool = False,
    ) -> None:
        super()._send_response_start(status, headers, request, close)
        for name, value in headers:
            if name.lower() == b"connection" and value.lower() == b"close":
                self._keepalive = 0


class _Worker:
    """What gunicorn's protocol asks of its worker, and the door to its connections."""

    loop: asyncio.AbstractEventLoop
    max_requests = sys.maxsize
    nr = nr_conns = 0
    alive = True

    def __init__(self, asked: Asked, shim: Shim) -> None:
        self._asked, self._shim = asked, shim
        self.cfg = gunicorn.settings(asked)
        self.log = Logger(self.cfg)
        self.state: dict[str, Any] = {}
        self.grace_s = asked.grace_s
        self.connections: set[_Connection] = set()
        self._slot = asked.listener.getsockname() if asked.behind_edge else None

    async def run(self) -> None:
        """Start the app, serve, drain, and let the app shut down."""
        aio.die_before_serving()
        asked, self.loop = self._asked, asyncio.get_running_loop()
        lifespan = await aio.start_app(self._shim)
        self.state = lifespan.state
        probe = await aio.answer_probe(asked, self._shim)
        self._server = await self.loop.create_server(
            partial(_Connection, self), sock=asked.listener, backlog=asked.backlog
        )
        await aio.stay(asked, self._shim, self)
        probe.close()
        await lifespan.shutdown()

    def asgi(self, scope: Message, receive: Receive, send: Send) -> Awaitable[None]:
        """The app as gunicorn calls it."""
        if scope["type"] == "http":
            scope["asgi"]["spec_version"] = SPOKEN
        if self._slot is not None:
            scope["server"] = (self._slot, None)  # gunicorn takes two letters of the path
        return self._shim(scope, receive, send)

    def waiting(self) -> bool:
        return is_waiting(self._asked.listener.fileno())

    def close(self) -> None:
        self._server.close()

    def open(self) -> int:
        return len(self.connections)

    def finish(self) -> None:
        self.alive = False
        for connection in tuple(self.connections):
            connection.leave()

    def cut(self) -> None:
        for connection in tuple(self.connections):
            connection.cut()
