"""Apps that a proof is tried on: one that waits, and one that answers before it has finished."""

from __future__ import annotations

import asyncio
import os
import random
from typing import Any

WAIT_S = float(os.environ.get("WAIT_S", "2"))
_background: set[asyncio.Task[None]] = set()


async def wait(scope: Any, receive: Any, send: Any) -> None:
    """Answer after half to one and a half times WAIT_S, but idle clients at once."""
    if scope["type"] == "http":
        if scope["path"] != "/idle":
            await asyncio.sleep(random.uniform(0.5, 1.5) * WAIT_S)
        await answer(send)


async def early(scope: Any, receive: Any, send: Any) -> None:
    """Answer at once and work on behind the answer."""
    if scope["type"] == "http":
        await answer(send)
        task = asyncio.create_task(asyncio.sleep(0.5))
        _background.add(task)
        task.add_done_callback(_background.discard)


async def answer(send: Any) -> None:
    headers = [(b"content-length", b"2"), (b"content-type", b"text/plain")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"ok"})
