"""A plain ASGI app with large answers: it waits, then sends 32 KB that it made for that request.

Decides how long a request takes and how large its page is. No framework.

    uvicorn page:app
"""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

MEAN_S = float(os.environ.get("PAGE_MEAN_S", "20"))
SPREAD = 0.5  # a wait lasts between half and three halves of the mean
BYTES = 32 * 1024
HEADERS = [(b"content-type", b"text/plain"), (b"content-length", b"%d" % BYTES)]


async def app(scope: Message, receive: Receive, send: Send) -> None:
    """Answer 200 with a page after a drawn time; `/health` at once."""
    if scope["type"] == "lifespan":
        for step in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{step}.complete"})
        return
    if scope["path"] != "/health":
        await asyncio.sleep(MEAN_S * random.uniform(1 - SPREAD, 1 + SPREAD))
    page = scope["path"].encode().ljust(BYTES, b".")
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
    await send({"type": "http.response.body", "body": page})
