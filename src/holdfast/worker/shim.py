"""The ASGI wrapper: counts requests, lets them in, answers the supervisor's probe.

Decides nothing: who is let in, its line says. It changes no answer but for the nonce and, in a
drain, `close`; and knows no supervisor.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable
from typing import Final

from holdfast.wire import FINISHED, NONCE_HEADER, REFUSED, STARTED, WAITING, Places
from holdfast.worker import upgraded
from holdfast.worker.admission import BODY, STATUS, refusal
from holdfast.worker.event_streams import EventStream, streams_events
from holdfast.worker.held import Held
from holdfast.worker.line import App, Line, Message, Receive, Send, take_turn

_NONCE: Final = NONCE_HEADER.encode()
_CLOSE: Final = (b"connection", b"close")


class Shim(Held):
    """Counts in `words` (a row of the gauge): started at the call, finished at the last body byte.

    A request that never completes its answer is finished when the app returns, raises or is
    cancelled: each exactly once. Requests on the unix socket `probe` are answered with
    `identity` and the count in flight, and are not counted. `lifespan` serves that scope. No more
    than `places` are let in; who waits for a place has not started. An engine that `skips_bodies`
    nobody read goes on with the next request; others close the connection, so one is read here.
    """

    __slots__ = ("_app", "_lifespan", "_line", "_probe", "_skips_bodies")

    def __init__(
        self,
        app: App,
        lifespan: App,
        words: memoryview,
        probe: str,
        identity: dict[str, object],
        places: Places | None = None,
        *,
        skips_bodies: bool = True,
    ) -> None:
        super().__init__(words, identity)
        self._skips_bodies = skips_bodies
        self._line = None if places is None else Line(places)
        self._app = app
        self._lifespan = lifespan
        self._probe = probe

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve one scope."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._lifespan(scope, receive, send)
            else:
                await upgraded.serve(self, self._app, scope, receive, send, self._line)
            return
        server = scope["server"]
        if server is not None and server[1] is None and server[0] == self._probe:
            await self.answer_probe(scope, None, send)
            return
        nonce = None
        for pair in scope["headers"]:
            if pair[0] == _NONCE:
                nonce = pair
                break
        words, line = self._words, self._line
        if line is not None:
            if scope["path"] in line.exempt:
                line = None
            elif not line.enter():
                words[WAITING] += 1
                try:
                    found, receive = await take_turn(line, receive)
                finally:
                    words[WAITING] -= 1
                if not found:
                    answer = _Answer(self, send, nonce, None)
                    await self._refuse(scope, receive, answer, line.retry_after_s)
                    return
        answer = _Answer(self, send, nonce, line)
        words[STARTED] += 1
        try:
            await self._app(scope, receive, answer.send)
        except (upgraded.Gone, asyncio.CancelledError):
            if answer.stream is None or not answer.stream.has_ended:
                raise
        finally:
            answer.end()

    async def _refuse(
        self, scope: Message, receive: Receive, answer: _Answer, retry_after_s: int
    ) -> None:
        """Say that there is no place; a body that was not asked for yet may never come."""
        self._words[REFUSED] += 1
        answer.complete = True
        headers = [(name.encode(), value.encode()) for name, value in refusal(retry_after_s)]
        if not self._skips_bodies:
            while (await receive()).get("more_body"):
                pass
        elif any(name == b"expect" for name, _ in scope["headers"]):
            headers.append(_CLOSE)
        await answer.send({"type": "http.response.start", "status": STATUS, "headers": headers})
        await answer.send({"type": "http.response.body", "body": BODY})

    async def answer_probe(self, scope: Message, receive: Receive | None, send: Send) -> None:
        """Answer who this is and what it holds: an ASGI app for engines that tell sockets apart."""
        body = self.probed()
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % len(body)),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})


class _Answer:
    """One request's answer: its `send` hands messages on, and counts the last one.

    Here and in the shim each step is in every request's way (`scripts/bench shim`): a bound method
    is called faster than an object, and the nonce's pair goes back as it came.
    """

    __slots__ = ("_headers", "_line", "_nonce", "_send", "_shim", "complete", "stream")

    def __init__(
        self, shim: Shim, send: Send, nonce: tuple[bytes, bytes] | None, line: Line | None
    ) -> None:
        self._shim = shim
        self._send = send
        self._nonce = nonce
        self._line = line
        self._headers: Iterable[tuple[bytes, bytes]] | None = None
        self.stream: EventStream | None = None
        self.complete = False

    def send(self, message: Message) -> Awaitable[None]:
        """Hand a message on: with the nonce, and `close` in a drain, where the answer starts."""
        kind = message["type"]
        if kind == "http.response.body":
            if not message.get("more_body"):
                return self._last(message)
            if self._headers is not None:
                self._look(self._headers)
            return (self._send if self.stream is None else self.stream.send)(message)
        if kind == "http.response.start":
            self._headers = message.get("headers", ())
            if self._nonce is not None or self._shim.draining:
                message = {**message, "headers": self._told(self._headers)}
        return self._send(message)

    def _told(self, headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        """The headers with what is said besides."""
        told = [*headers]
        if self._nonce is not None:
            told.append(self._nonce)
        if self._shim.draining:
            told = [pair for pair in told if pair[0].lower() != b"connection"]
            told.append(_CLOSE)
        return told

    def _look(self, headers: Iterable[tuple[bytes, bytes]]) -> None:
        """Whether a body that comes in parts is a stream of events; looked at once."""
        self._headers = None
        if streams_events(headers):
            self.stream = EventStream(self._send, self._last)
            self._shim.streams.add(self.stream)

    async def _last(self, message: Message) -> None:
        if self.complete and self.stream is not None:
            return  # it was ended before the app did
        await self._send(message)
        self.end()

    def end(self) -> None:
        """The request is over, and its place somebody else's; counted once."""
        if not self.complete:
            self.complete = True
            self._shim._words[FINISHED] += 1
            if self.stream is not None:
                self._shim.streams.remove(self.stream)
            if self._line is not None:
                self._line.leave()
