"""A plain ASGI app whose requests take TIMED_S seconds; `/well` is answered at once."""

from __future__ import annotations

import asyncio
import os
from typing import Any

TIME_S = float(os.environ.get("TIMED_S", "1"))


async def app(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] != "http":
        raise ValueError("only http is spoken here")
    if scope["path"] != "/well":
        await asyncio.sleep(TIME_S)
    headers = [(b"content-length", b"2")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"ok"})
