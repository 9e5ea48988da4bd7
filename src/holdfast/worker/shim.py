"""The ASGI wrapper: counts requests, answers the supervisor's probe, says `close` in a drain.

Decides nothing: it changes no answer but for those two headers, and knows no supervisor.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

from holdfast.wire import FINISHED, NONCE_HEADER, STARTED
from holdfast.worker.held import Held

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

_NONCE: Final = NONCE_HEADER.encode()
_CLOSE: Final = (b"connection", b"close")


class Shim(Held):
    """Counts in `words` (a row of the gauge): started at the call, finished at the last body byte.

    A request that never completes its answer is finished when the app returns, raises or is
    cancelled: each exactly once. Requests on the unix socket `probe` are answered with
    `identity` and the count in flight, and are not counted. `lifespan` serves that scope.
    """

    __slots__ = ("_app", "_lifespan", "_probe")

    def __init__(
        self,
        app: App,
        lifespan: App,
        words: memoryview,
        probe: str,
        identity: dict[str, object],
    ) -> None:
        super().__init__(words, identity)
        self._app = app
        self._lifespan = lifespan
        self._probe = probe

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve one scope; a websocket passes through unchanged, and uncounted."""
        if scope["type"] != "http":
            app = self._lifespan if scope["type"] == "lifespan" else self._app
            await app(scope, receive, send)
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
        words = self._words
        answer = _Answer(self, send, nonce)
        words[STARTED] += 1
        try:
            await self._app(scope, receive, answer.send)
        finally:
            if not answer.complete:
                answer.complete = True
                words[FINISHED] += 1

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

    __slots__ = ("_nonce", "_send", "_shim", "complete")

    def __init__(self, shim: Shim, send: Send, nonce: tuple[bytes, bytes] | None) -> None:
        self._shim = shim
        self._send = send
        self._nonce = nonce
        self.complete = False

    def send(self, message: Message) -> Awaitable[None]:
        """Hand a message on: with the nonce, and `close` in a drain, where the answer starts."""
        kind = message["type"]
        if kind == "http.response.body":
            if message.get("more_body"):
                return self._send(message)
            return self._last(message)
        if kind == "http.response.start" and (self._nonce is not None or self._shim.draining):
            headers = [*message.get("headers", ())]
            if self._nonce is not None:
                headers.append(self._nonce)
            if self._shim.draining:
                headers = [pair for pair in headers if pair[0].lower() != b"connection"]
                headers.append(_CLOSE)
            message = {**message, "headers": headers}
        return self._send(message)

    async def _last(self, message: Message) -> None:
        await self._send(message)
        if not self.complete:
            self.complete = True
            self._shim._words[FINISHED] += 1
