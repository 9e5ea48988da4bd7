"""gunicorn's gevent worker as ours: a greenlet a connection, and a drain that waits for no clock.

Imported once gevent has replaced what it replaces.
"""

from __future__ import annotations

import contextlib
from functools import partial
from typing import Any

import gevent
from gevent.pool import Pool
from gevent.server import StreamServer
from gunicorn.workers.ggevent import GeventWorker

from holdfast.worker import gunicorn
from holdfast.worker.asked import Asked
from holdfast.worker.lag import Lag
from holdfast.worker.leaving import is_waiting

USUAL_CONNECTIONS = 1_000
END_S = 0.5
"""What requests that are cut are given to clean up."""


def serve_connections(asked: Asked) -> int:
    """Serve until a drain is over."""
    config = gunicorn.settings(asked, worker_connections=asked.cap or USUAL_CONNECTIONS)
    shim = gunicorn.make_shim(asked)
    worker = gunicorn.make_worker(_Worker, asked, shim, config)
    worker.asked, worker.shim = asked, shim
    worker.init_process()
    return 0


class _Name:
    """A listener's name, which each connection asks for as it begins.

    Many are taken in at once and begin one after the other: the listener may be closed by then.
    """

    def __init__(self, listener: Any) -> None:
        self._name = listener.getsockname()

    def getsockname(self) -> Any:
        """As it was while the listener was open."""
        return self._name


class _Worker(gunicorn.Told, GeventWorker):  # type: ignore[misc]
    """Its own loop looks up once a second, and waits for idle clients: ours does neither."""

    def run(self) -> None:
        self._busy: set[gevent.Greenlet] = set()
        self._is_finishing = False
        self._servers = []
        for listener in self.sockets:
            listener.setblocking(1)
            handle = partial(self.handle, _Name(listener))
            server = StreamServer(listener, handle=handle, spawn=Pool(self.worker_connections))
            server.start()
            self._servers.append(server)
        gevent.spawn(self._measure)
        self.serve_until_drained()

    def _measure(self) -> None:
        """See how late the hub is, as long as it runs."""
        lag = Lag(self.asked.words)
        while True:
            gevent.sleep(lag.next_s())
            lag.came()

    def handle_request(self, listener_name: Any, req: Any, sock: Any, addr: Any) -> None:
        greenlet = gevent.getcurrent()
        self._busy.add(greenlet)
        try:
            super().handle_request(listener_name, req, sock, addr)
        finally:
            self._busy.discard(greenlet)

    def waiting(self) -> bool:
        return is_waiting(self.sockets[0].fileno())

    def close(self) -> None:
        self._servers[0].close()

    def open(self) -> int:
        """Connections; idle ones no more once they may end, since they end with the process."""
        pool = self._servers[0].pool
        return 0 if self._is_finishing else pool.size - pool.free_count()

    def finish(self) -> None:
        self._is_finishing = True

    def cut(self) -> None:
        with contextlib.suppress(gevent.Timeout):
            gevent.killall(list(self._busy), block=True, timeout=END_S)
