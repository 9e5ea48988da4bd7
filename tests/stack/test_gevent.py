"""gunicorn's gevent worker: what it takes in just before it leaves."""

from __future__ import annotations

import os
import signal

import pytest

from tests.stack.driving import BUSY, Log, crowd, running, stopping

pytestmark = pytest.mark.slow


def test_who_is_accepted_last_is_answered() -> None:
    """2,000 wait as the worker is told to leave: it takes more in at once than it can begin with
    before it closes its socket, and answers all."""
    fields = {"engine": "gevent", "cap": 2 * BUSY, "backlog": 4_096, "nofile": 3 * BUSY}
    with running("kit_wsgi:app", slots=1, **fields) as stack:
        (worker,) = stack.workers()
        os.kill(worker.pid, signal.SIGSTOP)
        with crowd(stack.port, BUSY) as clients:
            for client in clients:
                client.finish()
            with stopping(stack) as codes:
                os.kill(worker.pid, signal.SIGCONT)
                statuses = [client.status() for client in clients]
        assert statuses == [200] * BUSY
        assert codes == [0]
        assert [event.status for event in Log(stack).of("stopped")] == [0]
