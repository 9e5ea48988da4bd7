"""What Holdfast's worker does otherwise than gunicorn's asgi worker, whose protocol it runs."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import pytest

from tests.helpers import wait_until
from tests.stack.driving import Client, running, wait_for_in_flight
from tests.stack.engines import fields

pytestmark = pytest.mark.slow

ASKED = fields("gunicorn-asgi", app="listening:app")


def test_an_answer_that_closes_is_followed_by_a_close() -> None:
    """An app that says `close` is believed: gunicorn's own worker keeps the connection open, and
    a client that reads to its end waits for the idle time."""
    with running(**ASKED) as stack, contextlib.closing(Client(stack.port)) as client:
        client.get("/close")
        assert client.read()[1]["connection"] == "close"
        assert client.socket.recv(1) == b""


def test_an_app_is_told_the_path_of_its_slot() -> None:
    """Behind an edge the server is a unix socket, of whose path gunicorn tells two letters."""
    with running(**ASKED | {"listen": "slots"}) as stack:
        folder = Path(stack.serving.run_dir)
        with contextlib.closing(Client(str(folder / "slot-0.sock"))) as client:
            client.get()
            path, port = json.loads(client.read()[2])["server"]
        assert (Path(path).name, port) == ("w-0.1.sock", None)


def test_work_after_an_answer_outlasts_its_client() -> None:
    """An app goes on working once its client has left: gunicorn's own worker cancels it."""
    with running(**ASKED) as stack:
        with contextlib.closing(Client(stack.port)) as client:
            client.get("/later")
            assert client.read()[0] == 200
        wait_for_in_flight(stack, 0)
        folder = Path(stack.serving.run_dir)
        logs = list(folder.glob("*.log"))
        wait_until(lambda: any("the work is done" in log.read_text() for log in logs))
