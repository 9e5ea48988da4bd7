"""uvicorn on uvloop with httptools: our server, so that it tells, drains and cuts as asked."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable
from types import FrameType
from typing import Any

import uvicorn

from holdfast.wire import FAILED, STAGE_STARTUP
from holdfast.worker import aio
from holdfast.worker.asked import CANNOT_SERVE, Asked
from holdfast.worker.leaving import is_waiting
from holdfast.worker.lifespan import Startup
from holdfast.worker.shim import Shim


def serve(asked: Asked) -> int:
    """Serve until a drain is over; the probe is answered on the second socket of the server."""
    config = make_config(
        asked.app,
        behind_edge=asked.behind_edge,
        backlog=asked.backlog,
        keep_alive_s=asked.keep_alive_s,
        grace_s=asked.grace_s,
    )
    config.load()
    startup = Startup(config.loaded_app, asked.app_dir)
    shim = Shim(
        config.loaded_app,
        startup.serve,
        asked.words,
        asked.probe,
        asked.identity,
        asked.places,
    )
    config.loaded_app = shim
    server = _Server(config, shim, asked)
    try:
        with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
            runner.run(server.serve(sockets=[asked.listener, asked.private]))
    except SystemExit:
        if server.started or startup.failure is None:
            raise
        asked.control.say_failed(FAILED, STAGE_STARTUP, startup.failure)
        return CANNOT_SERVE
    return 0


def make_config(
    app: Callable[..., Any],
    *,
    behind_edge: bool,
    backlog: int,
    keep_alive_s: int,
    grace_s: float,
) -> uvicorn.Config:
    """The engine's settings: never `limit_concurrency`, which counts idle clients too."""
    return uvicorn.Config(
        app,
        loop="uvloop",
        http="httptools",
        lifespan="auto",
        access_log=False,
        log_level="warning",
        forwarded_allow_ips="*" if behind_edge else None,
        backlog=backlog,
        timeout_keep_alive=keep_alive_s,
        timeout_graceful_shutdown=grace_s,  # type: ignore[arg-type]
    )


class _Server(uvicorn.Server):
    """Tells its supervisor when it serves, and loses no request when it drains; its own door."""

    def __init__(self, config: uvicorn.Config, shim: Shim, asked: Asked) -> None:
        super().__init__(config)
        self._shim = shim
        self._asked = asked
        self._leaving: asyncio.Task[None] | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        aio.hear(self._asked, self.drain)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """A signal asks for a drain; before the first request there is nothing to drain."""
        if not self.started:
            os._exit(0)
        asyncio.get_event_loop().call_soon_threadsafe(self.drain)

    def drain(self) -> None:
        if self._leaving is None:
            leaving = self._asked.leaving(self, self._shim)
            self._leaving = asyncio.get_running_loop().create_task(aio.leave(leaving))

    def waiting(self) -> bool:
        return is_waiting(self._asked.listener.fileno())

    def close(self) -> None:
        for server in self.servers:
            server.close()

    def open(self) -> int:
        return len(self.server_state.connections)

    def finish(self) -> None:
        self.should_exit = True

    def cut(self) -> None:
        self.should_exit = True
        for task in self.server_state.tasks:
            task.cancel()
