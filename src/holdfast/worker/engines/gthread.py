"""gunicorn's threaded worker: as many requests as threads; what is accepted past them waits."""

from __future__ import annotations

from gunicorn.workers import gthread

from holdfast.worker import gunicorn
from holdfast.worker.asked import Asked
from holdfast.worker.leaving import LINGER_S

USUAL_THREADS, USUAL_CONNECTIONS = 1, 1_000


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
    def close(self) -> None:
        self.alive = False
        self.method_queue.defer(lambda: None)

    def _cap_keepalive(self, deadline: float) -> None:
        """Those that were deferred since they said nothing are idle, too."""
        super()._cap_keepalive(deadline)
        for conn in self.pending_conns:
            conn.timeout = min(conn.timeout, deadline)
