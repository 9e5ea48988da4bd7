"""What Holdfast's worker does otherwise than gunicorn's uvicorn worker, whose class it runs."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.helpers import wait_until
from tests.stack.driving import Log, answered, crowd, running, wait_for_in_flight
from tests.stack.engines import fields

pytestmark = pytest.mark.slow


def test_a_signal_to_quit_is_a_call_to_drain() -> None:
    """QUIT to a worker finishes what is in it, and another one serves: gunicorn's own serves on."""
    with running(**fields("uvicorn-worker")) as stack, crowd(stack.port, 5) as clients:
        wait_for_in_flight(stack, 5)
        (worker,) = stack.workers()
        os.kill(worker.pid, signal.SIGQUIT)
        assert answered(clients) == 5
        log = Log(stack)
        (died,) = log.wait_for("died")
        assert (died.generation, died.status, died.in_flight) == (1, 0, 0)


HEEDLESS = """
import asyncio

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        print("the app was shut down", flush=True)
        await send({"type": "lifespan.shutdown.complete"})
        return
    try:
        await asyncio.sleep(3600)
    except asyncio.CancelledError:
        await asyncio.sleep(3600)
"""


def test_an_app_that_overhears_its_cancellation_is_shut_down(tmp_path: Path) -> None:
    """A request that goes on once it was cut is cancelled again, and the app's lifespan ends: a
    server that gunicorn's own sets up would wait for it until it was killed."""
    (tmp_path / "heedless.py").write_text(HEEDLESS)
    told = fields("uvicorn-worker", app="heedless:app", app_dir=str(tmp_path), grace_s=0.5)
    with running(**told) as stack, crowd(stack.port, 1):
        wait_for_in_flight(stack, 1)
        log, folder = Log(stack), Path(stack.serving.run_dir)
        stack.replace(0)
        (stopped,) = log.wait_for("stopped")
        assert stopped.status == 0
        logs = list(folder.glob("*.log"))
        wait_until(lambda: any("the app was shut down" in log.read_text() for log in logs))
