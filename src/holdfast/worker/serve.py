"""The engine inside a worker: uvicorn on the inherited socket, and how it leaves.

Decides the order of a drain; knows neither how many workers there are nor why it has to stop.
"""

from __future__ import annotations

import asyncio
import os
import socket
from types import FrameType
from typing import Final

import uvicorn

from holdfast.wire import CUT
from holdfast.worker.control import Control
from holdfast.worker.shim import Shim

LINGER_S: Final = 0.1
"""Before it accepts no more: so that connections that are being made arrive, where no new ones are
taken. And again before idle ones are closed: so that busy clients ask, and are told to leave."""


class Server(uvicorn.Server):
    """Tells its supervisor when it serves, and loses no request when it drains."""

    def __init__(
        self, config: uvicorn.Config, shim: Shim, control: Control, dialler_idle_s: float
    ) -> None:
        super().__init__(config)
        self._shim = shim
        self._control = control
        self._dialler_idle_s = dialler_idle_s
        self._was_cut = False
        self._leaving: asyncio.Task[None] | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to serve, then report it."""
        await super().startup(sockets)
        self._control.listen(self.drain)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """A signal asks for a drain; before the first request there is nothing to drain."""
        if not self.started:
            os._exit(0)
        asyncio.get_event_loop().call_soon_threadsafe(self.drain)

    def drain(self) -> None:
        """Take no more, finish what is here, cut what is left after the grace time, and end."""
        if self._leaving is None:
            self._shim.draining = True
            self._leaving = asyncio.get_running_loop().create_task(self._leave())

    async def _leave(self) -> None:
        grace_s = self.config.timeout_graceful_shutdown
        if grace_s is not None:
            asyncio.get_running_loop().call_later(grace_s, self._cut)
        await asyncio.sleep(LINGER_S)
        for server in self.servers:
            server.close()
        await asyncio.sleep(LINGER_S)
        await self._until_the_edge_lets_go()
        self.should_exit = True

    async def _until_the_edge_lets_go(self) -> None:
        """Leave idle connections to the edge to close: it may just be sending a request on one."""
        silent_s = 0.0
        while self.server_state.connections and silent_s < self._dialler_idle_s:
            if self._was_cut:
                return
            await asyncio.sleep(LINGER_S)
            silent_s = 0.0 if self._shim.in_flight else silent_s + LINGER_S

    def _cut(self) -> None:
        self._was_cut = True
        if self._shim.in_flight:
            self._control.say(CUT, requests=self._shim.in_flight)
        for task in self.server_state.tasks:
            task.cancel()
