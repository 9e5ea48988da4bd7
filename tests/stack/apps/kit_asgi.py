"""What the check kit of engines asks, as an ASGI app: see `kit_wsgi` for the same in WSGI."""

from __future__ import annotations

import os
from typing import Any

started = False


async def app(scope: Any, receive: Any, send: Any) -> None:
    global started  # noqa: PLW0603
    if scope["type"] == "lifespan":
        await receive()
        started = True
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
        return
    assert started
    body, more = b"", True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        body, more = body + message.get("body", b""), message.get("more_body", False)
    path = scope["path"]
    if path == "/raise":
        raise ValueError("as asked")
    parts = [b"one", b"two", b"three"] if path == "/stream" else [body]
    if path == "/client":
        parts = [f"{scope['client'] and scope['client'][0]} {scope['scheme']}".encode()]
    if path == "/":
        parts = [b"%d" % os.getpid()]
    headers = [] if path == "/stream" else [(b"content-length", b"%d" % len(parts[0]))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    for part in parts:
        await send({"type": "http.response.body", "body": part, "more_body": True})
    await send({"type": "http.response.body", "body": b""})
