"""Answers of ASGI apps that are streams of events, which a drain ends between two of them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable

from holdfast.worker.lasting import NOTICE_S, ends_an_event, is_event_stream
from holdfast.worker.line import Message, Send
from holdfast.worker.upgraded import Gone


def streams_events(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Whether an answer with these headers is a stream of events."""
    types = (value for name, value in headers if name.lower() == b"content-type")
    return any(is_event_stream(value.decode("latin1")) for value in types)


class EventStream:
    """One answer: its `send` hands parts of the body on; `last` sends the last one, and counts."""

    __slots__ = ("_ending", "_is_ending", "_is_sending", "_is_whole", "_last", "_send", "_task")

    def __init__(self, send: Send, last: Send) -> None:
        self._send, self._last = send, last
        self._task = asyncio.current_task()
        self._is_ending = self._is_sending = False
        self._is_whole = True
        self._ending: asyncio.Task[None] | None = None

    @property
    def has_ended(self) -> bool:
        """Whether a drain has ended it, whatever the app does."""
        return self._ending is not None

    async def send(self, message: Message) -> None:
        """Hand a part on; raises Gone after the end."""
        if self._ending is not None:
            await asyncio.shield(self._ending)  # whoever returns before it is taken to have failed
            raise Gone("this worker leaves, and has ended the stream")
        self._is_sending = True
        await self._send(message)
        self._is_sending = False
        body = message.get("body")
        if body:
            self._is_whole = ends_an_event(body)
        if self._is_ending:
            self._finish()

    def end(self) -> None:
        """End the answer after the event that is being sent, if one is."""
        self._is_ending = True
        asyncio.get_running_loop().call_later(NOTICE_S, self._cancel)
        self._finish()

    def _finish(self) -> None:
        if self._is_whole and not self._is_sending and self._ending is None:
            self._ending = asyncio.get_running_loop().create_task(self._say_end())

    async def _say_end(self) -> None:
        with contextlib.suppress(Exception):  # its client may have gone in the same instant
            await self._last({"type": "http.response.body", "body": b""})

    def _cancel(self) -> None:
        """The app has not heard that its answer is over, and has sent nothing since."""
        if self._task is not None and not self._task.done():
            self._task.cancel()
