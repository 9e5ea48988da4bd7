"""Says what it knows of its client and its server, as an ASGI app: JSON, whatever is asked.

`/close` is an answer that closes, and `/later` one after which there is something left to do.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

TURNS = 10
"""Of the loop: what is known without waiting is heard within them."""
WORK_S = 3.5
"""Longer than gunicorn lets an app work whose client has left."""


async def app(scope: Any, receive: Any, send: Any) -> None:
    assert scope["type"] == "http"
    while (await receive()).get("more_body"):
        pass
    listening = asyncio.ensure_future(receive())
    for _ in range(TURNS):
        await asyncio.sleep(0)
    body = json.dumps({"left": listening.done(), "server": scope["server"]}).encode()
    headers = [(b"content-length", b"%d" % len(body))]
    if scope["path"] == "/close":
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
    listening.cancel()
    if scope["path"] == "/later":
        await asyncio.sleep(WORK_S)
        print("the work is done", flush=True)
