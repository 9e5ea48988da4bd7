"""gunicorn's uvicorn worker, of the package uvicorn-worker: its own class, and what that sets.

The arbiter that it counts on to end what outlasts the grace time is not there.
"""

from __future__ import annotations

from types import FrameType

from uvicorn_worker import UvicornWorker

from holdfast.worker import aio, gunicorn
from holdfast.worker.asked import Asked
from holdfast.worker.uvicorn import Server, make_server


def serve(asked: Asked) -> int:
    """Serve until a drain is over; the probe is answered on the second socket of the server."""
    worker = gunicorn.make_worker(_Worker, asked, asked.app, gunicorn.settings(asked))
    worker.config.app = asked.app
    worker.config.timeout_graceful_shutdown = asked.grace_s  # it sets none
    worker.server, startup = make_server(worker.config, asked)
    return aio.tell(worker.init_process, asked, startup)


class _Worker(UvicornWorker):  # type: ignore[misc]
    """It makes a server of uvicorn's, which leaves by itself: ours, which leaves as asked."""

    server: Server

    async def _serve(self) -> None:
        self._install_sigquit_handler()
        await self.server.serve(sockets=self.sockets)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """QUIT: drain, as at TERM and INT; its own would note it, and serve on."""
        self.server.handle_exit(sig, frame)
