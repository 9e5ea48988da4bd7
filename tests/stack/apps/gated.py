"""A plain ASGI app whose requests end when a file appears, whether or not their clients wait."""

from __future__ import annotations

import asyncio
import os
from typing import Any

from held import answer

GATE = os.environ["GATE"]
opened = asyncio.Event()
watching: set[asyncio.Task[None]] = set()


async def watch() -> None:
    while not os.path.exists(GATE):
        await asyncio.sleep(0.05)
    opened.set()


async def app(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] != "http":
        raise ValueError("only http is spoken here")
    if not watching:
        watching.add(asyncio.create_task(watch()))
    await opened.wait()
    await answer(send, b"x")
