"""An app whose capacity is a number of slots, each taken for a while: the processor is no limit."""

from __future__ import annotations

import asyncio
from typing import Any

SLOTS, TIME_S = 100, 0.5
HEADERS = [(b"content-type", b"text/plain"), (b"content-length", b"6")]
slots = asyncio.Semaphore(SLOTS)


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Wait for a slot, keep it, answer."""
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
        return
    async with slots:
        await asyncio.sleep(TIME_S)
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
    await send({"type": "http.response.body", "body": b"hello\n"})
