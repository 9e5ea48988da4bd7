"""The line for places in an app, on an event loop: first come, first served, for a bounded time.

Decides who is let in and when; knows no request. For threads and greenlets there is `turns`.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from holdfast.wire import Places

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]
Turn = asyncio.Future[bool]


class Line:
    """`places.cap` places, and a line of `places.room` before them. Used in one loop only.

    A place that is left goes to whoever has waited longest, without being free in between: nobody
    who comes just then is served before those that were there.
    """

    __slots__ = ("_free", "_places", "_waiting", "exempt")

    def __init__(self, places: Places) -> None:
        self._places = places
        self._free = places.cap
        self._waiting: OrderedDict[Turn, None] = OrderedDict()
        self.exempt = frozenset(places.health)
        """Paths that need no place."""

    @property
    def retry_after_s(self) -> int:
        """What those are told that get no place."""
        return self._places.retry_after_s

    def enter(self) -> bool:
        """Take a place that is free; False: none is."""
        if self._free:
            self._free -= 1
            return True
        return False

    def join(self) -> Turn | None:
        """Get in line: the turn is True once it is one's own, and False when there will be none.

        None where the line is full. A turn that came and is not taken must be left.
        """
        if len(self._waiting) >= self._places.room or not self._places.wait_s:
            return None
        loop = asyncio.get_running_loop()
        turn: Turn = loop.create_future()
        self._waiting[turn] = None
        timer = loop.call_later(self._places.wait_s, self.drop, turn)
        turn.add_done_callback(lambda _: timer.cancel())
        return turn

    def drop(self, turn: Turn) -> None:
        """Let one go that waits no longer; nothing happens to a turn that came."""
        if turn in self._waiting:
            del self._waiting[turn]
            if not turn.done():
                turn.set_result(False)

    def leave(self) -> None:
        """Give a place up: to whoever is next, or it is free."""
        while self._waiting:
            turn, _ = self._waiting.popitem(last=False)
            if not turn.done():
                turn.set_result(True)
                return
        self._free += 1

    async def wait(self, turn: Turn) -> bool:
        """Wait for the turn; whoever is cancelled meanwhile is in line no more."""
        try:
            return await turn
        except asyncio.CancelledError:
            self.drop(turn)
            if not turn.cancelled() and turn.result():
                self.leave()
            raise


class Listener:
    """Hears whether an ASGI request's client leaves while it waits, and keeps what it heard."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._heard: list[Message] = []

    async def until_left(self) -> bool:
        """Whether the client has left; False where more of a body comes, which is left to come."""
        while True:
            message = await self._receive()
            self._heard.append(message)
            if message["type"] == "http.disconnect":
                return True
            if message.get("more_body"):
                return False

    async def receive(self) -> Message:
        """The app's `receive`: first what was heard."""
        return self._heard.pop(0) if self._heard else await self._receive()


async def take_turn(line: Line, receive: Receive) -> tuple[bool, Receive]:
    """Whether there is a place in the end; and the `receive` to go on with.

    A client that leaves is in line no more, and there is no place for it.
    """
    turn = line.join()
    if turn is None:
        return False, receive
    listener = Listener(receive)
    listening = asyncio.get_running_loop().create_task(listener.until_left())
    listening.add_done_callback(lambda _: line.drop(turn) if _has_left(listening) else None)
    try:
        found = await line.wait(turn)
    finally:
        listening.cancel()
    try:
        await asyncio.wait([listening])  # two of them must not receive at once
    except BaseException:
        if found:
            line.leave()
        raise
    if found and _has_left(listening):  # in the instant of its turn
        line.leave()
        found = False
    return found, listener.receive


def _has_left(listening: asyncio.Task[bool]) -> bool:
    if not listening.done() or listening.cancelled():
        return False
    return listening.exception() is not None or listening.result()
