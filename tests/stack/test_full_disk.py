"""A disk that is full, and a log that cannot be opened: requests are answered, and it is told."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from holdfast.stack.process import StackProcess
from tests.helpers import wait_until
from tests.stack.driving import Client, Log, running

ROOM = 4 * 2**20


@pytest.fixture
def small_disk(short_path: Path) -> Iterator[Path]:
    """A file system of 4 MiB; skipped by name where mounting is forbidden."""
    folder = short_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={ROOM}", "holdfast-test", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False, timeout=30).returncode:
        pytest.skip("mounting a tmpfs is not allowed here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True, timeout=30)


def told(stack: StackProcess, kind: str) -> list[str]:
    """What was told of the whole stack, of that kind."""
    return [event.text for event in stack.stack_events() if event.kind == kind]


def answered(stack: StackProcess, path: str = "/") -> int:
    """The status of a request."""
    with closing(Client(stack.port)) as client:
        client.get(path)
        return client.status()


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["uvicorn", "granian"])
def test_a_stack_serves_on_a_full_disk(small_disk: Path, engine: str) -> None:
    """What an app prints is lost, its answer is not; a worker that dies is replaced; it is told."""
    with running("chatty:app", slots=1, run_dir=str(small_disk), engine=engine) as stack:
        assert answered(stack, "/much") == 200
        (text,) = wait_until(lambda: told(stack, "logs_lost"))
        assert str(small_disk) in text
        assert answered(stack, "/much") == 200
        os.kill(stack.workers()[0].pid, signal.SIGKILL)
        Log(stack).wait_for("ready", 2)
        assert answered(stack) == 200
        os.truncate(small_disk / "slot-0.log", 0)
        wait_until(lambda: told(stack, "logs_kept"))
        assert answered(stack, "/much") == 200
        assert stack.stop() == 0


@pytest.mark.slow
def test_a_worker_whose_log_cannot_be_opened_serves(short_path: Path) -> None:
    """It runs without one, and that is told with the path and the reason."""
    (short_path / "slot-0.log").mkdir()
    with running("chatty:app", slots=2, run_dir=str(short_path)) as stack:
        texts = [event.text for event in stack.events() if event.kind == "started"]
        assert texts == [f"what it prints is lost: Is a directory: {short_path}/slot-0.log", ""]
        assert [answered(stack, "/much") for _ in range(8)] == [200] * 8
