"""Websockets that echo, and streams of events that do not end, as an ASGI app."""

from __future__ import annotations

import asyncio
import os
from typing import Any

PART, PARTS = b"x" * 65_536, 128


async def app(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "websocket":
        await echo(receive, send)
    elif scope["type"] == "http":
        if scope["path"] == "/large":
            await large(send)
            return
        is_stream = scope["path"].startswith(("/events", "/slow"))
        await (events if is_stream else answer)(scope, receive, send)


async def echo(receive: Any, send: Any) -> None:
    """Send back what comes, until nothing does."""
    while (message := await receive())["type"] != "websocket.disconnect":
        if message["type"] == "websocket.connect":
            await send({"type": "websocket.accept"})
        elif message["text"] == "deaf":
            await asyncio.Event().wait()
        else:
            await send({"type": "websocket.send", "text": message["text"]})


async def events(scope: Any, receive: Any, send: Any) -> None:
    """An event in two parts every 20 ms; where the path says `slow`, 1.2 s after each of two."""
    headers = [(b"content-type", b"text/event-stream; charset=utf-8")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    for number in range(10**9):
        for part in (b"data: ", b"%d\n\n" % number):
            await send({"type": "http.response.body", "body": part, "more_body": True})
            await asyncio.sleep(0.01)
        if "slow" in scope["path"]:
            await asyncio.sleep(1.2)
        while number and "slow" in scope["path"]:
            if (await receive())["type"] == "http.disconnect":
                return


async def large(send: Any) -> None:
    """An answer that is larger than all buffers on its way."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    for number in range(PARTS):
        more = number < PARTS - 1
        await send({"type": "http.response.body", "body": PART, "more_body": more})


async def answer(scope: Any, receive: Any, send: Any) -> None:
    """Who serves, once the whole request has come."""
    while (await receive()).get("more_body"):
        pass
    body = b"%d" % os.getpid()
    headers = [(b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
