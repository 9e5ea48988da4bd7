"""The lines before an app: who gets a place, in which order, and who is told that there is none."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from holdfast.wire import FINISHED, REFUSED, STARTED, WAITING, Places
from holdfast.worker.admission import BODY
from holdfast.worker.line import Line, Message, Receive, Send
from holdfast.worker.shim import Shim
from holdfast.worker.turns import Turns
from holdfast.worker.wsgi import Environ, StartResponse, WsgiShim
from tests.helpers import wait_until

LONG_S = 60.0


def places(cap: int = 1, room: int = 10, wait_s: float = LONG_S) -> Places:
    return Places(cap, room, wait_s, 7, ("/health",))


def test_places_come_back_from_their_text() -> None:
    """What a supervisor writes into the environment is what the worker reads."""
    assert Places.of(places().text) == places()


async def _rest() -> None:
    """Let everything that can go on do so."""
    for _ in range(10):
        await asyncio.sleep(0)


def run(scenario: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(asyncio.wait_for(scenario(), 30))


def test_a_place_that_is_left_is_the_oldest_ones() -> None:
    """Turns come in the order of asking; nobody who comes later finds the place free in between."""

    async def scenario() -> None:
        line = Line(places())
        assert line.enter()
        turns = [line.join() for _ in range(3)]
        for turn in turns:
            line.leave()
            assert [each.done() for each in turns if each] == [
                at <= turns.index(turn) for at in range(3)
            ]
            assert not line.enter()
        line.leave()
        assert line.enter()

    run(scenario)


def test_a_full_line_takes_nobody() -> None:
    """With its room taken, or without time to wait, a line is not joined."""

    async def scenario() -> None:
        for line, joins in ((Line(places(room=2)), 2), (Line(places(wait_s=0)), 0)):
            assert line.enter()
            assert sum(line.join() is not None for _ in range(5)) == joins

    run(scenario)


def test_a_turn_that_does_not_come_in_time_is_none() -> None:
    """After its time a turn is False, and the place goes to somebody else."""

    async def scenario() -> None:
        line = Line(places(wait_s=0.01))
        assert line.enter()
        turn = line.join()
        assert turn is not None
        assert not await line.wait(turn)
        line.leave()
        assert line.enter()

    run(scenario)


@pytest.mark.parametrize("came", [False, True])
def test_who_is_cancelled_keeps_no_place(came: bool) -> None:
    """A waiting task that is cancelled, even in the instant of its turn, leaves the place free."""

    async def scenario() -> None:
        line = Line(places())
        assert line.enter()
        turn = line.join()
        assert turn is not None
        task = asyncio.ensure_future(line.wait(turn))
        await _rest()
        if came:
            line.leave()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        if not came:
            line.leave()
        assert line.enter()
        assert not line.enter()

    run(scenario)


class Asgi:
    """A shim with an app whose requests end when they are let go."""

    def __init__(self, places: Places) -> None:
        self.words = memoryview(bytearray(64)).cast("Q")
        self.gate = asyncio.Event()
        self.bodies: list[bytes] = []
        self.shim = Shim(self._app, self._app, self.words, "/probe", {}, places)

    async def _app(self, scope: Message, receive: Receive, send: Send) -> None:
        self.bodies.append((await receive()).get("body", b""))
        if scope["path"] != "/health":
            await self.gate.wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"ok"})

    @property
    def counts(self) -> tuple[int, ...]:
        """Started, finished, waiting, refused."""
        return tuple(self.words[at] for at in (STARTED, FINISHED, WAITING, REFUSED))

    def ask(self, path: str = "/", *headers: tuple[bytes, bytes]) -> Request:
        return Request(self, path, headers)


class Request:
    """One request: what its client sends, and what it was sent."""

    def __init__(self, asgi: Asgi, path: str, headers: tuple[tuple[bytes, bytes], ...]) -> None:
        self.sent: list[Message] = []
        self.comes: asyncio.Queue[Message] = asyncio.Queue()
        self.comes.put_nowait({"type": "http.request", "body": b"hello", "more_body": False})
        scope = {"type": "http", "server": None, "path": path, "headers": list(headers)}
        self.task = asyncio.ensure_future(asgi.shim(scope, self.comes.get, self._send))

    async def _send(self, message: Message) -> None:
        self.sent.append(message)

    @property
    def status(self) -> int:
        """0: no answer yet."""
        return self.sent[0]["status"] if self.sent else 0


def test_a_request_without_a_place_waits_and_is_not_in_flight() -> None:
    """The one over the cap waits for the other to finish, and its body reaches the app."""

    async def scenario() -> None:
        asgi = Asgi(places())
        first, second = asgi.ask(), asgi.ask()
        await _rest()
        assert asgi.counts == (1, 0, 1, 0)
        assert (asgi.shim.in_flight, asgi.shim.unfinished) == (1, 2)
        asgi.gate.set()
        await asyncio.gather(first.task, second.task)
        assert asgi.counts == (2, 2, 0, 0)
        assert (asgi.bodies, first.status, second.status) == ([b"hello"] * 2, 200, 200)

    run(scenario)


def test_who_gets_no_place_is_told_when_to_ask_again() -> None:
    """The whole answer is a 503 with Retry-After, its length and its nonce; it is not in flight."""

    async def scenario() -> None:
        asgi = Asgi(places(wait_s=0))
        first, nonce = asgi.ask(), (b"x-holdfast-nonce", b"12")
        second = asgi.ask("/", nonce)
        await second.task
        start, body = second.sent
        assert (start["status"], body["body"]) == (503, BODY)
        headers = dict(start["headers"])
        assert headers[b"content-length"] == b"%d" % len(BODY)
        assert (headers[b"retry-after"], headers[nonce[0]]) == (b"7", nonce[1])
        assert b"connection" not in headers
        assert asgi.counts == (1, 0, 0, 1)
        asgi.gate.set()
        await first.task

    run(scenario)


def test_a_body_that_was_not_asked_for_ends_its_connection() -> None:
    """A refused client that waits for `100 Continue` may send its body or not: it is closed."""

    async def scenario() -> None:
        asgi = Asgi(places(wait_s=0))
        first, second = asgi.ask(), asgi.ask("/", (b"expect", b"100-continue"))
        await second.task
        assert (b"connection", b"close") in second.sent[0]["headers"]
        first.task.cancel()

    run(scenario)


def test_a_client_that_leaves_gives_its_turn_up() -> None:
    """Who leaves in line is never in the app, and the next one has its turn."""

    async def scenario() -> None:
        asgi = Asgi(places())
        first, second, third = asgi.ask(), asgi.ask(), asgi.ask()
        await _rest()
        second.comes.put_nowait({"type": "http.disconnect"})
        await second.task
        assert asgi.counts == (1, 0, 1, 1)
        asgi.gate.set()
        await asyncio.gather(first.task, third.task)
        assert asgi.counts == (2, 2, 0, 1)

    run(scenario)


def test_health_paths_need_no_place() -> None:
    """With every place taken a health path is answered at once, and takes nobody's place."""

    async def scenario() -> None:
        asgi = Asgi(places(wait_s=0))
        first, health = asgi.ask(), asgi.ask("/health")
        await health.task
        assert health.status == 200
        asgi.gate.set()
        await first.task
        again = asgi.ask()
        await again.task
        assert again.status == 200

    run(scenario)


class Wsgi:
    """The same in threads."""

    def __init__(self, places: Places, *, left: bool = False) -> None:
        self.words = memoryview(bytearray(64)).cast("Q")
        self.gate = threading.Event()
        self.statuses: list[str] = []
        self.shim = WsgiShim(
            self._app, self.words, {}, lambda _: False, lambda _: None, places, lambda _: left
        )

    def _app(self, environ: Environ, start: StartResponse) -> list[bytes]:
        if environ["PATH_INFO"] != "/health":
            assert self.gate.wait(30)
        start("200 OK", [])
        return [b"ok"]

    counts = Asgi.counts

    def ask(self, path: str = "/", method: str = "GET") -> tuple[str, dict[str, str], bytes]:
        """Status, headers and body of an answer."""
        told: list[Any] = []
        environ = {"PATH_INFO": path, "REQUEST_METHOD": method}
        body = self.shim(
            environ, lambda status, headers, exc_info=None: told.extend([status, headers])
        )
        whole = b"".join(body)
        close = getattr(body, "close", None)
        if close is not None:
            close()
        return told[0], dict(told[1]), whole

    def begin(self) -> threading.Thread:
        """Ask in a thread of its own; its status is among `statuses` in the end."""
        thread = threading.Thread(target=lambda: self.statuses.append(self.ask()[0]))
        thread.start()
        return thread


def test_threads_wait_for_their_turn() -> None:
    """Of three threads two wait while one is in the app, and all are served in the end."""
    wsgi = Wsgi(places())
    threads = [wsgi.begin() for _ in range(3)]
    wait_until(lambda: wsgi.counts == (1, 0, 2, 0))
    wsgi.gate.set()
    for thread in threads:
        thread.join(30)
    assert (wsgi.statuses, wsgi.counts) == (["200 OK"] * 3, (3, 3, 0, 0))


def test_a_thread_without_a_place_is_told_so() -> None:
    """Without room, or once its time is over, a request is told 503, without a body to a HEAD."""
    for told in (places(wait_s=0), places(room=0), places(wait_s=0.01)):
        wsgi = Wsgi(told)
        first = wsgi.begin()
        wait_until(lambda wsgi=wsgi: wsgi.counts == (1, 0, 0, 0))
        status, headers, body = wsgi.ask()
        assert (status, headers["retry-after"], body) == ("503 Service Unavailable", "7", BODY)
        assert wsgi.ask(method="HEAD")[2] == b""
        assert wsgi.ask("/health")[0] == "200 OK"
        wsgi.gate.set()
        first.join(30)
        assert wsgi.counts == (2, 2, 0, 2)
        assert wsgi.ask()[0] == "200 OK"


def test_a_thread_whose_client_has_left_gives_its_place_up() -> None:
    """Whoever left in line is not in the app when its turn comes, and the next one is."""
    wsgi = Wsgi(places(), left=True)
    threads = [wsgi.begin() for _ in range(2)]
    wait_until(lambda: wsgi.counts == (1, 0, 1, 0))
    wsgi.gate.set()
    for thread in threads:
        thread.join(30)
    assert sorted(wsgi.statuses) == ["200 OK", "503 Service Unavailable"]
    assert (wsgi.counts, wsgi.ask()[0]) == ((1, 1, 0, 1), "200 OK")


def test_a_turn_lost_to_the_clock_is_no_place() -> None:
    """Many threads that give up and many that leave lose no place and make none."""
    turns, taken = Turns(places(cap=3, room=100, wait_s=0.002)), []

    def work() -> None:
        for _ in range(200):
            if turns.enter() or turns.wait():
                taken.append(1)
                turns.leave()

    threads = [threading.Thread(target=work) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert taken
    assert [turns.enter() for _ in range(4)] == [True, True, True, False]
