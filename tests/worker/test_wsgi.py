"""The WSGI shim as a server sees it: what it counts, what it adds, what it leaves alone."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Iterable
from typing import Any

import pytest

from holdfast.wire import FINISHED, STARTED
from holdfast.worker.wsgi import App, WsgiShim


class Wrapper:
    """A server's file wrapper."""

    def __init__(self, filelike: io.BytesIO) -> None:
        self.close = filelike.close


class Stage:
    """A shim around an app, with what it said and its counts."""

    def __init__(self, app: App) -> None:
        self.words = memoryview(bytearray(64)).cast("Q")
        self.said: list[Any] = []
        self.closed: list[Any] = []
        self.shim = WsgiShim(
            app, self.words, {"pid": 7}, lambda environ: "probe" in environ, self.closed.append
        )

    @property
    def counts(self) -> tuple[int, int]:
        return self.words[STARTED], self.words[FINISHED]

    def start(self, status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> None:
        self.said.append((status, headers))

    def run(self, **environ: Any) -> Iterable[bytes]:
        return self.shim({"wsgi.file_wrapper": Wrapper, **environ}, self.start)


def answers(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    start_response("200 OK", [("Content-Length", "2")])
    return [b"ok"]


def test_a_request_is_finished_when_the_server_closes_its_answer() -> None:
    """It is in flight while the answer's parts are taken, and until `close`, which counts once."""
    stage = Stage(answers)
    body: Any = stage.run()
    assert list(body) == [b"ok"]
    assert (stage.counts, stage.shim.in_flight) == ((1, 0), 1)
    body.close()
    body.close()
    assert stage.counts == (1, 1)
    assert stage.said == [("200 OK", [("Content-Length", "2")])]


def test_an_app_that_raises_has_finished() -> None:
    """The error passes through, and the request is no longer in flight."""

    def raises(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        raise KeyError("as asked")

    stage = Stage(raises)
    with pytest.raises(KeyError):
        stage.run()
    assert stage.counts == (1, 1)


def test_the_answers_own_close_is_called() -> None:
    """What the app's iterable does at its close happens, even where it raises."""

    class Body(list[bytes]):
        def close(self) -> None:
            raise KeyError("in close")

    stage = Stage(lambda environ, start_response: Body())
    body: Any = stage.run()
    with pytest.raises(KeyError):
        body.close()
    assert stage.counts == (1, 1)


def test_the_servers_file_wrapper_stays_what_it_is() -> None:
    """A file that the server can send by itself is handed on, closed and counted."""
    file = io.BytesIO(b"x")
    stage = Stage(lambda environ, start_response: environ["wsgi.file_wrapper"](file))
    body: Any = stage.run()
    assert isinstance(body, Wrapper)
    assert stage.counts == (1, 0)
    body.close()
    assert (stage.counts, file.closed) == ((1, 1), True)


def test_the_nonce_comes_back() -> None:
    """A request's nonce is added to what the app says."""
    stage = Stage(answers)
    stage.run(HTTP_X_HOLDFAST_NONCE="n-1")
    assert stage.said[0][1] == [("Content-Length", "2"), ("x-holdfast-nonce", "n-1")]


def test_a_drain_closes_answers_that_start_in_it() -> None:
    """An answer that starts in the drain closes, whenever its request came; none before does."""

    def drains(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        stage.shim.draining = True
        return answers(environ, start_response)

    stage = Stage(answers)
    stage.run()
    assert stage.closed == []
    stage.shim._app = drains
    stage.run()
    assert stage.closed == [stage.start]


def test_the_probe_is_answered_and_not_counted() -> None:
    """The supervisor is told who this is and how many requests are in flight."""
    stage = Stage(answers)
    stage.run()
    (body,) = stage.run(probe=True)
    assert json.loads(body) == {"pid": 7, "in_flight": 1}
    assert stage.counts == (1, 0)


def test_threads_count_exactly() -> None:
    """Eight threads that count 2,000 requests each lose none."""
    stage = Stage(answers)

    def work() -> None:
        for _ in range(2_000):
            body: Any = stage.run()
            body.close()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert stage.counts == (16_000, 16_000)
