"""hypercorn on uvloop. Its connections are served one by one, since its own `serve` ends idle ones
in the instant in which it is told to stop, whatever is being sent on them."""

from __future__ import annotations

import asyncio
import socket

import hypercorn
from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.asyncio.lifespan import Lifespan
from hypercorn.asyncio.tcp_server import TCPServer
from hypercorn.asyncio.worker_context import WorkerContext

from holdfast.worker import aio
from holdfast.worker.asked import Asked
from holdfast.worker.leaving import is_waiting
from holdfast.worker.line import App
from holdfast.worker.shim import Shim

NEVER = 2**62
"""Requests after which hypercorn would close a connection by itself."""
LONG_S = 1e6
"""What an app may take to start and to shut down: its supervisor bounds both."""
END_S = 1.0
"""What connections are given to end that were told to."""


def serve(asked: Asked) -> int:
    """Serve until a drain is over; a server of its own in the same loop answers the probe."""
    shim, startup = aio.make_shim(asked)
    return aio.run(_Server(asked, shim).run(), asked, startup)


def _config(asked: Asked) -> hypercorn.Config:
    config = hypercorn.Config()
    config.backlog = asked.backlog
    config.keep_alive_timeout = asked.keep_alive_s
    config.keep_alive_max_requests = NEVER
    config.graceful_timeout = asked.grace_s
    config.startup_timeout = config.shutdown_timeout = LONG_S
    config.loglevel = "WARNING"
    config.accesslog = None
    return config


class _Connection(TCPServer):
    """A connection that is over once its client has closed it.

    hypercorn's own keeps its descriptor until its idle time is over.
    """

    async def _read_data(self) -> None:
        await super()._read_data()
        await self.idle_task.stop()

    async def _idle_timeout(self) -> None:
        if not self.reader.at_eof():
            await super()._idle_timeout()


class _Server:
    """One worker's connections, and the door to them."""

    def __init__(self, asked: Asked, shim: Shim) -> None:
        self._asked, self._shim = asked, shim
        self._config = _config(asked)
        self._state: dict[str, object] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def run(self) -> None:
        """Start the app, serve, drain, and let the app shut down."""
        aio.die_before_serving()
        loop = asyncio.get_running_loop()
        app = ASGIWrapper(self._shim)  # type: ignore[arg-type]
        self._context = WorkerContext(None)
        lifespan = Lifespan(app, self._config, loop, self._state)
        life = loop.create_task(lifespan.handle_lifespan())
        await lifespan.wait_for_startup()
        if life.done():
            life.result()
        self._probe = await self._listen(self._asked.private, self._shim.answer_probe, set())
        self._server = await self._listen(self._asked.listener, self._shim, self._tasks)
        await aio.stay(self._asked, self._shim, self)
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=END_S)
        await lifespan.wait_for_shutdown()

    async def _listen(
        self, listener: socket.socket, app: App, tasks: set[asyncio.Task[None]]
    ) -> asyncio.Server:
        wrapped = ASGIWrapper(app)  # type: ignore[arg-type]

        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            tasks.add(task)
            loop = asyncio.get_running_loop()
            try:
                await _Connection(
                    wrapped, loop, self._config, self._context, self._state, reader, writer
                )
            except asyncio.CancelledError:
                writer.transport.abort()
            finally:
                tasks.discard(task)

        return await asyncio.start_server(connected, sock=listener, backlog=self._asked.backlog)

    def waiting(self) -> bool:
        return is_waiting(self._asked.listener.fileno())

    def close(self) -> None:
        assert self._server is not None
        self._server.close()

    def open(self) -> int:
        return len(self._tasks)

    def finish(self) -> None:
        asyncio.get_running_loop().create_task(self._context.terminated.set())

    def cut(self) -> None:
        for task in tuple(self._tasks):
            task.cancel()
