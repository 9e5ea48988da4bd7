"""The Django project that waits: over real HTTP, in uvicorn."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.examples.running import (
    EXAMPLES,
    Program,
    answers_health,
    ask,
    dial,
    free_port,
    get,
    running,
)
from tests.helpers import wait_until

WAITING = 50


@contextlib.contextmanager
def running_django(folder: Path, mean_s: str) -> Iterator[Program]:
    """The project, answering; Django knows no lifespan, so uvicorn must not insist on one."""
    port = free_port()
    command = ["-m", "uvicorn", "waiting:app", "--app-dir", str(EXAMPLES / "django")]
    options = ["--port", str(port), "--log-level", "warning"]
    with running([*command, *options], [port], folder, {"DJANGO_MEAN_S": mean_s}) as program:
        wait_until(lambda: answers_health(program), what="the project answers")
        yield program


@pytest.mark.slow
def test_it_waits_and_answers(tmp_path: Path) -> None:
    """A request is answered 200 with its own number."""
    with running_django(tmp_path, "0.01") as app:
        reply = get(app.ports[0], "/wait/42")
    assert (reply.status, reply.body) == (200, {"waited": 42})


@pytest.mark.slow
def test_a_request_that_waits_keeps_no_thread(tmp_path: Path) -> None:
    """While 50 wait, the process has fewer threads than requests, and `/health` is answered."""
    with running_django(tmp_path, "600") as app:
        clients = [dial(app.ports[0]) for _ in range(WAITING)]
        for client in clients:
            ask(client, "/wait/1")
        assert get(app.ports[0], "/health").status == 200
        tasks = Path(f"/proc/{app.process.pid}/task")
        wait_until(lambda: len(list(tasks.iterdir())) < WAITING, what="few threads")
        for client in clients:
            client.close()
        app.process.kill()
