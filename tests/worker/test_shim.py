"""The shim as ASGI sees it: what it counts, what it adds, what it leaves alone."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from holdfast.wire import FINISHED, STARTED
from holdfast.worker.line import App, Message, Receive, Send
from holdfast.worker.shim import Shim

PROBE = "/run/w-0.1.sock"


class Stage:
    """A shim around an app, with everything that it sent and its counts."""

    def __init__(self, app: App) -> None:
        self.words = memoryview(bytearray(64)).cast("Q")
        self.lifespans = 0
        self.shim = Shim(app, self.lifespan, self.words, PROBE, {"pid": 7, "slot": 1})
        self.sent: list[Message] = []
        self.counts_at_send: list[tuple[int, int]] = []

    @property
    def counts(self) -> tuple[int, int]:
        return self.words[STARTED], self.words[FINISHED]

    async def lifespan(self, scope: Message, receive: Receive, send: Send) -> None:
        self.lifespans += 1

    async def send(self, message: Message) -> None:
        self.counts_at_send.append(self.counts)
        self.sent.append(message)

    async def receive(self) -> Message:
        return {"type": "http.request"}

    async def run(self, kind: str = "http", **scope: Any) -> None:
        whole = {"type": kind, "server": ("127.0.0.1", 80), "headers": [], **scope}
        await self.shim(whole, self.receive, self.send)


def start(*headers: tuple[bytes, bytes]) -> Message:
    return {"type": "http.response.start", "status": 200, "headers": list(headers)}


def body(data: bytes = b"", *, more: bool = False) -> Message:
    return {"type": "http.response.body", "body": data, "more_body": more}


async def answers(scope: Message, receive: Receive, send: Send) -> None:
    await send(start((b"content-length", b"2")))
    await send(body(b"o", more=True))
    await send(body(b"k"))


def test_a_request_is_finished_at_its_last_body_byte() -> None:
    """A request counts as in flight until its last body message has been sent, and not longer."""
    still = []

    async def works_on(scope: Message, receive: Receive, send: Send) -> None:
        await answers(scope, receive, send)
        still.append(stage.shim.in_flight)

    stage = Stage(works_on)
    asyncio.run(stage.run())
    assert stage.counts_at_send == [(1, 0)] * 3
    assert still == [0]
    assert stage.counts == (1, 1)


def test_an_app_that_never_completes_its_answer_is_finished_when_it_returns() -> None:
    """Without a last body message the return of the app ends the request."""

    async def half(scope: Message, receive: Receive, send: Send) -> None:
        await send(start())
        await send(body(b"x", more=True))

    stage = Stage(half)
    asyncio.run(stage.run())
    assert stage.counts == (1, 1)


@pytest.mark.parametrize("complete", [False, True])
def test_an_app_that_raises_is_finished_once(complete: bool) -> None:
    """An exception ends the request once, before or after its last byte."""

    async def raises(scope: Message, receive: Receive, send: Send) -> None:
        if complete:
            await answers(scope, receive, send)
        raise ValueError("no")

    stage = Stage(raises)
    with pytest.raises(ValueError, match="no"):
        asyncio.run(stage.run())
    assert stage.counts == (1, 1)


def test_a_cancelled_request_is_finished_once() -> None:
    """Cancellation ends a request that waits."""

    async def waits(scope: Message, receive: Receive, send: Send) -> None:
        await asyncio.Event().wait()

    async def scenario() -> None:
        task = asyncio.ensure_future(stage.run())
        await asyncio.sleep(0)
        assert stage.shim.in_flight == 1
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    stage = Stage(waits)
    asyncio.run(scenario())
    assert stage.counts == (1, 1)


def test_a_last_byte_that_cannot_be_sent_is_finished_once() -> None:
    """When sending the last body message fails, the request still ends once."""

    async def broken(message: Message) -> None:
        raise OSError("gone")

    stage = Stage(answers)
    scope = {"type": "http", "server": None, "headers": []}
    with pytest.raises(OSError, match="gone"):
        asyncio.run(stage.shim(scope, stage.receive, broken))
    assert stage.counts == (1, 1)


def test_the_nonce_comes_back() -> None:
    """An answer carries the nonce of its own request, beside the app's headers, left unchanged."""
    message = start((b"content-length", b"0"))

    async def app(scope: Message, receive: Receive, send: Send) -> None:
        await send(message)
        await send(body())

    stage = Stage(app)
    asyncio.run(stage.run(headers=[(b"host", b"x"), (b"x-holdfast-nonce", b"12ab")]))
    expected = [(b"content-length", b"0"), (b"x-holdfast-nonce", b"12ab")]
    assert stage.sent[0]["headers"] == expected
    assert message == start((b"content-length", b"0"))


def test_messages_pass_unchanged_without_nonce_or_drain() -> None:
    """What the app sends is what the client gets."""
    stage = Stage(answers)
    asyncio.run(stage.run())
    assert stage.sent == [start((b"content-length", b"2")), body(b"o", more=True), body(b"k")]


def test_a_draining_worker_says_close() -> None:
    """Once draining, every answer asks its client to leave, whatever the app says."""

    async def app(scope: Message, receive: Receive, send: Send) -> None:
        await send(start((b"Connection", b"keep-alive"), (b"x", b"y")))
        await send(body())

    stage = Stage(app)
    stage.shim.draining = True
    asyncio.run(stage.run())
    assert stage.sent[0]["headers"] == [(b"x", b"y"), (b"connection", b"close")]


def test_a_websocket_is_counted_and_a_lifespan_is_not() -> None:
    """A websocket goes to the app and a lifespan to its watcher."""
    seen = []

    async def app(scope: Message, receive: Receive, send: Send) -> None:
        seen.append(scope["type"])

    stage = Stage(app)
    asyncio.run(stage.run("websocket"))
    asyncio.run(stage.run("lifespan"))
    assert (seen, stage.lifespans, stage.counts) == (["websocket"], 1, (1, 1))


def test_the_probe_is_answered_by_the_shim() -> None:
    """On the private socket the shim says who it is and what it holds; the app never sees it."""

    async def app(scope: Message, receive: Receive, send: Send) -> None:
        raise AssertionError("the app was asked")

    stage = Stage(app)
    stage.words[STARTED], stage.words[FINISHED] = 5, 2
    asyncio.run(stage.run(server=(PROBE, None)))
    assert stage.sent[0]["status"] == 200
    assert json.loads(stage.sent[1]["body"]) == {"pid": 7, "slot": 1, "in_flight": 3}
    assert stage.counts == (5, 2)


def test_another_unix_socket_is_no_probe() -> None:
    """Requests over a unix socket that is not the private one reach the app."""
    stage = Stage(answers)
    asyncio.run(stage.run(server=("/run/other.sock", None)))
    assert stage.counts == (1, 1)
