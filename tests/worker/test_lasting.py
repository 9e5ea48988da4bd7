"""What lasts is told to end evenly, ends between two events, and does not outstay its notice."""

from __future__ import annotations

import asyncio

import pytest

from holdfast.wire import FINISHED, STARTED, UPGRADED
from holdfast.worker import event_streams, upgraded
from holdfast.worker.lasting import Lasting, ends_an_event, is_event_stream
from holdfast.worker.line import App, Message, Receive, Send
from holdfast.worker.shim import Shim

TYPE = (b"Content-Type", b"text/event-stream; charset=utf-8")


class One:
    """Something that lasts, and how often it was told to end."""

    def __init__(self) -> None:
        self.told = 0

    def end(self) -> None:
        self.told += 1


def test_they_are_told_evenly_and_each_once() -> None:
    """A share of them is told by each step, whether those that were told are over or not."""
    lasting, all_of_them = Lasting(), [One() for _ in range(10)]
    for one in all_of_them:
        lasting.add(one)
    lasting.tell(0.25)
    assert sum(one.told for one in all_of_them) == 3
    lasting.tell(0.5)
    assert sum(one.told for one in all_of_them) == 5
    late = One()
    lasting.add(late)
    lasting.tell(1.0)
    lasting.tell(1.0)
    assert {one.told for one in (*all_of_them, late)} == {1}
    for one in (*all_of_them, late):
        lasting.remove(one)
    assert len(lasting) == 0


@pytest.mark.parametrize(
    ("sent", "ends"),
    [(b"data: 1\n\n", True), (b"\r\n\r\n", True), (b"a\r\r", True), (b"data: 1\n", False)],
)
def test_an_event_ends_with_an_empty_line(sent: bytes, ends: bool) -> None:
    """In any of the three line ends that the format has."""
    assert ends_an_event(sent) is ends


@pytest.mark.parametrize(
    ("told", "is_one"),
    [("text/event-stream", True), ("Text/Event-Stream ; a=b", True), ("text/plain", False)],
)
def test_a_stream_is_known_by_its_type(told: str, is_one: bool) -> None:
    """Whatever its letters' size and its parameters."""
    assert is_event_stream(told) is is_one


class Stage:
    """A shim around an app, what it sent, and its client, who says nothing after the first."""

    def __init__(self, app: App) -> None:
        self.words = memoryview(bytearray(64)).cast("Q")
        self.shim = Shim(app, app, self.words, "", {})
        self.sent: list[Message] = []

    async def receive(self) -> Message:
        await asyncio.Event().wait()
        return {}

    async def send(self, message: Message) -> None:
        self.sent.append(message)

    async def run(self, kind: str) -> None:
        """Serve one scope until it is told to end, and over."""
        scope = {"type": kind, "server": None, "headers": []}
        served = asyncio.create_task(self.shim(scope, self.receive, self.send))
        while not self.sent[1:]:
            await asyncio.sleep(0)
        for lasting in (self.shim.websockets, self.shim.streams):
            lasting.tell(1.0)
        await asyncio.wait_for(served, 30)

    @property
    def left(self) -> tuple[int, int, int]:
        """In flight, websockets and streams that are still counted."""
        words = self.words
        return words[STARTED] - words[FINISHED], words[UPGRADED], len(self.shim.streams)


@pytest.mark.parametrize("kind", ["websocket", "http"])
def test_an_app_that_takes_no_notice_is_cancelled(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its client has the close, or a whole answer, all the same; and nothing is left of it."""
    for module in (event_streams, upgraded):
        monkeypatch.setattr(module, "NOTICE_S", 0.01)

    async def app(scope: Message, receive: Receive, send: Send) -> None:
        if kind == "http":
            await send({"type": "http.response.start", "status": 200, "headers": [TYPE]})
            await send({"type": "http.response.body", "body": b"data: 1\n\n", "more_body": True})
        else:
            await send({"type": "websocket.accept"})
            await send({"type": "websocket.send", "text": "a"})
        await asyncio.Event().wait()

    stage = Stage(app)
    asyncio.run(stage.run(kind))
    last = stage.sent[-1]
    assert last.get("code") == 1012 if kind == "websocket" else last["body"] == b""
    assert not last.get("more_body")
    assert stage.left == (0, 0, 0)


@pytest.mark.parametrize("kind", ["websocket", "http"])
def test_an_app_that_sends_on_is_told_that_its_client_is_gone(kind: str) -> None:
    """The next message raises what a server raises for a client that has left: an OSError."""
    told = []

    async def app(scope: Message, receive: Receive, send: Send) -> None:
        start = {"type": "http.response.start", "status": 200, "headers": [TYPE]}
        await send(start if kind == "http" else {"type": "websocket.accept"})
        part = {"type": "http.response.body", "body": b"data: 1\n\n", "more_body": True}
        message = part if kind == "http" else {"type": "websocket.send", "text": "a"}
        try:
            while True:
                await send(message)
                await asyncio.sleep(0)
        except OSError as error:
            told.append(error)
            raise

    stage = Stage(app)
    asyncio.run(stage.run(kind))
    assert len(told) == 1
    assert stage.left == (0, 0, 0)
