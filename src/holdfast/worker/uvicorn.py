"""uvicorn's server for the engines that run it: it tells, drains and cuts as asked.

What an engine has it do otherwise, its settings, stands in its own file of `engines/`.
"""

from __future__ import annotations

import asyncio
import os
import socket
from types import FrameType

import uvicorn

from holdfast.worker import aio
from holdfast.worker.asked import Asked
from holdfast.worker.leaving import is_waiting
from holdfast.worker.lifespan import Startup
from holdfast.worker.shim import Shim


def make_server(config: uvicorn.Config, asked: Asked) -> tuple[Server, Startup]:
    """The server of `config` and its app, around which the shim is; and what its startup meets."""
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
    return Server(config, shim, asked), startup


class Server(uvicorn.Server):
    """Tells its supervisor when it serves, and loses no request when it drains; its own door.

    It serves on two sockets, the listener and the private one: the probe comes through the second.
    """

    def __init__(self, config: uvicorn.Config, shim: Shim, asked: Asked) -> None:
        super().__init__(config)
        self._shim = shim
        self._asked = asked
        self._leaving: asyncio.Task[None] | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start the app, accept, and say so."""
        await super().startup(sockets)
        assert sockets is not None
        self._listener = sockets[0]
        aio.hear(self._asked, self.drain)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """A signal asks for a drain; before the first request there is nothing to drain."""
        if not self.started:
            os._exit(0)
        asyncio.get_event_loop().call_soon_threadsafe(self.drain)

    def drain(self) -> None:
        """Go through the steps of a drain, once."""
        if self._leaving is None:
            leaving = self._asked.leaving(self, self._shim)
            self._leaving = asyncio.get_running_loop().create_task(aio.leave(leaving))

    def waiting(self) -> bool:
        """Whether connections are in the accept queue."""
        return is_waiting(self._listener.fileno())

    def close(self) -> None:
        """Accept no more."""
        for server in self.servers:
            server.close()

    def open(self) -> int:
        """Connections, idle ones too."""
        return len(self.server_state.connections)

    def finish(self) -> None:
        """Close idle connections, and end once there are none."""
        self.should_exit = True

    def cut(self) -> None:
        """Cancel what is in flight, and end."""
        self.should_exit = True
        for task in self.server_state.tasks:
            task.cancel()
