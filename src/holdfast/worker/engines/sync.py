"""gunicorn's sync worker: one request, then the next; a connection is never kept."""

from __future__ import annotations

import os

from gunicorn.workers.sync import SyncWorker

from holdfast.worker import gunicorn
from holdfast.worker.asked import Asked


def serve(asked: Asked) -> int:
    """Serve until a drain is over; the probe waits for its turn as every request does."""
    shim = gunicorn.make_shim(asked)
    worker = gunicorn.make_worker(_Worker, asked, shim, gunicorn.settings(asked))
    worker.asked, worker.shim = asked, shim
    worker.init_process()
    return 0


class _Worker(gunicorn.ByItself, SyncWorker):  # type: ignore[misc]
    def close(self) -> None:
        self.alive = False
        os.write(self.PIPE[1], b"1")
