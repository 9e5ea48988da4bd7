"""The body of a request on gunicorn's asgi protocol, for which an app may cease to wait."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

from holdfast.worker.engines.gunicorn_asgi import Body


def body(length: int) -> Any:
    """A body of so many bytes, none of which has come."""
    request = SimpleNamespace(content_length=length, chunked=False)
    connection = SimpleNamespace(_closed=False, _maybe_resume_reading=lambda: None)
    return Body(request, connection)


async def _given_up(came: Any, comes: bytes) -> bool:
    """Whether somebody who waits, and is told to cease as a part comes, does."""
    waiting = asyncio.create_task(came.receive())
    await asyncio.sleep(0)
    if comes:
        came.feed(comes)
    waiting.cancel()
    await asyncio.wait([waiting])
    return waiting.cancelled()


def test_who_ceases_to_wait_as_a_part_comes_has_ceased() -> None:
    """The part is there for whoever asks next."""

    async def scenario() -> None:
        came = body(1)
        assert await _given_up(came, b"x")
        came.set_complete()
        assert await came.receive() == {"type": "http.request", "body": b"x", "more_body": False}

    asyncio.run(scenario())


def test_who_ceases_to_listen_has_not_left() -> None:
    """After a whole body too: whoever listens next waits until the client has left."""

    async def scenario() -> None:
        came = body(0)
        assert (await came.receive())["type"] == "http.request"
        assert await _given_up(came, b"")
        assert await _given_up(came, b"")
        came.signal_disconnect()
        assert (await came.receive())["type"] == "http.disconnect"

    asyncio.run(scenario())
