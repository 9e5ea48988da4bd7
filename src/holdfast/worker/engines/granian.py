"""granian's embedded server on uvloop: its threads accept and parse, the app runs in our loop.

The socket is given to it in place of the one that it would bind; what it offers to nobody outside
(its worker's task, the end of its accepting) is taken by hand.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Awaitable
from typing import Any

from granian._granian import SocketHolder
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server.embed import Server

from holdfast.worker import aio
from holdfast.worker.accepted import Accepted
from holdfast.worker.asked import Asked
from holdfast.worker.leaving import is_waiting
from holdfast.worker.line import Message, Receive, Send
from holdfast.worker.shim import Shim
from holdfast.worker.upgraded import Interruptible

END_S = 1.0
"""What granian is given to end its threads."""


def serve(asked: Asked) -> int:
    """Serve until a drain is over; the probe is answered beside granian, in the app's loop."""
    shim, startup = aio.make_shim(asked)
    return aio.run(_Worker(asked, shim).run(), asked, startup)


class _Inherited(Server):
    """granian's server on a socket that is there."""

    listener: socket.socket

    def _init_shared_socket(self) -> None:
        is_unix = self.listener.family == socket.AF_UNIX
        self._ssp = None
        holder: Any = SocketHolder  # its stub knows no constructor
        self._shd = holder(self.listener.fileno(), is_unix, self.backlog)


class _Worker:
    """granian's one worker, and the door to its connections."""

    def __init__(self, asked: Asked, shim: Shim) -> None:
        self._asked, self._shim = asked, shim
        self._clients = Accepted(asked.listener.getsockname())
        self._state: dict[str, Any] = {}

    async def run(self) -> None:
        """Start the app, serve, drain, and let the app shut down."""
        aio.die_before_serving()
        lifespan = await aio.start_app(self._shim)
        self._state = lifespan.state
        probe = await aio.answer_probe(self._asked, self._shim)
        self._worker = self._start()
        await aio.stay(self._asked, self._shim, self)
        self._worker.terminate()
        with contextlib.suppress(TimeoutError):
            await self._worker.join(END_S)
        probe.close()
        await lifespan.shutdown()

    def _start(self) -> Any:
        asked = self._asked
        server = _Inherited(
            self._call,
            interface=Interfaces.ASGINL,
            http=HTTPModes.http1,
            http1_settings=HTTP1Settings(header_read_timeout=asked.keep_alive_s * 1_000),
            backlog=asked.backlog,
            backpressure=asked.cap or None,
            log_level=LogLevels.warning,
        )
        server.listener = asked.listener
        server._init_shared_socket()
        worker: Any = server._spawn_worker(0, server._spawn_asgi_worker, self._call)
        worker.start()
        return worker

    def _call(self, scope: Message, receive: Receive, send: Send) -> Awaitable[None]:
        scope["state"] = self._state.copy()
        if scope["type"] == "websocket":
            calls = Interruptible(receive, send)
            receive, send = calls.receive, calls.send
        return self._shim(scope, receive, send)

    def waiting(self) -> bool:
        return is_waiting(self._asked.listener.fileno())

    def close(self) -> None:
        """Another listening socket, on which nobody calls, takes the place of the inherited one."""
        silent = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        silent.bind("")  # Linux finds it a name of its own
        silent.listen(1)
        os.dup2(silent.fileno(), self._asked.listener.fileno(), inheritable=False)
        silent.close()

    def open(self) -> int:
        """Connections of the listener, at most: granian does not say, so descriptors do."""
        return self._clients.left()

    def finish(self) -> None:
        self._worker.terminate()

    def cut(self) -> None:
        for task in asyncio.all_tasks():
            if getattr(task.get_coro(), "__name__", "") == "future_watcher":
                task.cancel()
