"""Websockets of ASGI apps: counted, let in as requests are, and closed in a drain.

A websocket is in flight from its handshake until the app returns.
"""

from __future__ import annotations

import asyncio
import contextlib

from holdfast.wire import FINISHED, REFUSED, STARTED, WAITING
from holdfast.worker.admission import BODY, STATUS, refusal
from holdfast.worker.held import Held
from holdfast.worker.lasting import NOTICE_S, RESTART
from holdfast.worker.line import App, Line, Message, Receive, Send

_EXTENSION = "websocket.http.response"


class Gone(OSError):
    """What an app is told that sends on after the end, as by a server whose client has left."""


class Websocket:
    """One websocket: its `send` hands messages on until a drain ends it."""

    __slots__ = ("_closing", "_is_ending", "_is_open", "_send", "_task", "is_cancelled")

    def __init__(self, send: Send) -> None:
        self._send = send
        self._task = asyncio.current_task()
        self._is_open = self._is_ending = False
        self._closing: asyncio.Task[None] | None = None
        self.is_cancelled = False
        """Whether the app took no notice, and was cancelled."""

    async def send(self, message: Message) -> None:
        """Hand a message on; raises Gone after the end."""
        if self._closing is not None:
            await self.settle()
            raise Gone("this worker leaves, and has closed the websocket")
        await self._send(message)
        kind = message["type"]
        if kind == "websocket.accept":
            self._is_open = True
            if self._is_ending:
                self._close()
        elif kind == "websocket.close":
            self._is_open = False

    def end(self) -> None:
        """Close it with 1012, once its handshake is over; the app may then clean up."""
        self._is_ending = True
        asyncio.get_running_loop().call_later(NOTICE_S, self._cancel)
        if self._is_open:
            self._close()

    async def settle(self) -> None:
        """Wait until the close is sent, if one is: a server ends those whose app has returned."""
        if self._closing is not None:
            await asyncio.shield(self._closing)

    def _close(self) -> None:
        self._closing = asyncio.get_running_loop().create_task(self._say_close())

    async def _say_close(self) -> None:
        closed = {"type": "websocket.close", "code": RESTART, "reason": "service restart"}
        with contextlib.suppress(Exception):  # it may have gone in the same instant
            await self._send(closed)

    def _cancel(self) -> None:
        if self._task is not None and not self._task.done():
            self.is_cancelled = self._task.cancel()


async def serve(
    held: Held, app: App, scope: Message, receive: Receive, send: Send, line: Line | None
) -> None:
    """Serve one websocket: it takes a place of `line` for as long as it lasts."""
    words = held._words
    if line is not None and not await _has_place(line, words):
        words[REFUSED] += 1
        await _refuse(scope, send, line.retry_after_s)
        return
    one = Websocket(send)
    words[STARTED] += 1
    held.websockets.add(one)
    try:
        await app(scope, receive, one.send)
        await one.settle()
    except Gone:
        pass
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if not one.is_cancelled or task is None or task.uncancel():
            raise
    finally:
        held.websockets.remove(one)
        words[FINISHED] += 1
        if line is not None:
            line.leave()


async def _has_place(line: Line, words: memoryview) -> bool:
    """Wait for a place as a request does; that a client left meanwhile, the app finds out."""
    if line.enter():
        return True
    turn = line.join()
    if turn is None:
        return False
    words[WAITING] += 1
    try:
        return await line.wait(turn)
    finally:
        words[WAITING] -= 1


async def _refuse(scope: Message, send: Send, retry_after_s: int) -> None:
    """Say that there is no place: with 503, or 403 by a server that lets nobody choose."""
    if _EXTENSION not in scope.get("extensions", ()):
        await send({"type": "websocket.close", "code": 1013})
        return
    headers = [(name.encode(), value.encode()) for name, value in refusal(retry_after_s)]
    await send({"type": f"{_EXTENSION}.start", "status": STATUS, "headers": headers})
    await send({"type": f"{_EXTENSION}.body", "body": BODY})


class Interruptible:
    """`receive` and `send` of a server that sends no close while its app receives: it ends that.

    granian 2.8 does so: the close would wait for the client's next message.
    """

    __slots__ = ("_is_closed", "_receive", "_receiving", "_send")

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive, self._send = receive, send
        self._receiving: asyncio.Task[Message] | None = None
        self._is_closed = False

    async def receive(self) -> Message:
        """The next message, or that the websocket is closed."""
        self._receiving = asyncio.get_running_loop().create_task(self._next())
        try:
            return await self._receiving
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if not self._is_closed or (task is not None and task.cancelling()):
                raise
            return {"type": "websocket.disconnect", "code": RESTART}

    async def send(self, message: Message) -> None:
        """Hand a message on; a close, once nobody receives."""
        if message["type"] == "websocket.close" and self._receiving is not None:
            self._is_closed = True
            self._receiving.cancel()
            await asyncio.wait([self._receiving])
        await self._send(message)

    async def _next(self) -> Message:
        return await self._receive()
