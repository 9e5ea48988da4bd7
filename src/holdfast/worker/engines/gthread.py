"""gunicorn's threaded worker: as many requests as threads; what is accepted past them waits."""

from __future__ import annotations

import contextlib
import selectors
import socket
import time
from concurrent.futures import Future
from functools import partial
from typing import Any

from gunicorn.workers import gthread

from holdfast.worker import gunicorn
from holdfast.worker.asked import Asked
from holdfast.worker.leaving import LINGER_S

USUAL_THREADS, USUAL_CONNECTIONS = 1, 1_000
CLOSING_S = 2.0
"""What a client is given to close after an answer that closes: gunicorn's own time."""


def serve(asked: Asked) -> int:
    """Serve until a drain is over; the probe takes a thread as every request does."""
    threads = asked.cap or USUAL_THREADS
    connections = asked.connections or threads + USUAL_CONNECTIONS
    config = gunicorn.settings(asked, threads=threads, worker_connections=connections)
    shim = gunicorn.make_shim(asked)
    worker = gunicorn.make_worker(_Worker, asked, shim, config)
    worker.asked, worker.shim = asked, shim
    # While it ends, the worker leaves kept connections open for so long: an edge closes them.
    gthread.STOP_KEEPALIVE_LINGER = max(LINGER_S, asked.dialler_idle_s)
    worker.init_process()
    return 0


class _Worker(gunicorn.ByItself, gthread.ThreadWorker):  # type: ignore[misc]
    """Its own main thread waits for each client to close, one after the other: ours for all."""

    def __init__(self, *told: Any, **more: Any) -> None:
        super().__init__(*told, **more)
        self._closing: dict[gthread.TConn, None] = {}
        """In the order of their timeouts."""

    def finish_request(self, conn: gthread.TConn, future: Future[Any]) -> None:
        """One that is not kept is half closed, and then read until its client has closed it."""
        if future.cancelled() or future.exception() is not None or future.result():
            super().finish_request(conn, future)
            return
        try:
            conn.sock.shutdown(socket.SHUT_WR)
            conn.sock.setblocking(False)
            self.poller.register(conn.sock, selectors.EVENT_READ, partial(self._read_on, conn))
        except (OSError, ValueError):
            self._close(conn)
            return
        conn.timeout = time.monotonic() + CLOSING_S
        self._closing[conn] = None

    def _read_on(self, conn: gthread.TConn, client: socket.socket) -> None:
        """What a client sends after its answer is dropped; its end is waited for."""
        try:
            if client.recv(65_536):
                return
        except BlockingIOError:
            return
        except OSError:
            pass
        del self._closing[conn]
        self._close(conn)

    def _close(self, conn: gthread.TConn) -> None:
        with contextlib.suppress(OSError, KeyError, ValueError):
            self.poller.unregister(conn.sock)
        self.nr_conns -= 1
        conn.close()

    def murder_pending(self) -> None:
        """Those whose time is over are closed, too."""
        super().murder_pending()
        now_s = time.monotonic()
        while self._closing and (conn := next(iter(self._closing))).timeout <= now_s:
            del self._closing[conn]
            self._close(conn)

    def close(self) -> None:
        self.alive = False
        self.method_queue.defer(lambda: None)

    def _cap_keepalive(self, deadline: float) -> None:
        """Those that were deferred since they said nothing are idle, too."""
        super()._cap_keepalive(deadline)
        for conn in self.pending_conns:
            conn.timeout = min(conn.timeout, deadline)
