"""An ASGI app that the generator is tried on: it waits until released, and keeps its own count."""

from __future__ import annotations

import asyncio
import json
from typing import Any

NONCE = b"x-holdfast-nonce"


class Counter:
    """Requests to /wait and /now/... that were started and finished; /release lets all go."""

    def __init__(self) -> None:
        self.started = self.finished = self.idle = 0
        self.released = asyncio.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        path, body = scope["path"], b"ok"
        if path == "/state":
            body = json.dumps([self.started, self.finished, self.idle]).encode()
        elif path == "/idle":
            self.idle += 1
        elif path == "/release":
            self.released.set()
        else:
            self.started += 1
            if path == "/wait":
                await self.released.wait()
            self.finished += 1
        headers = [(name, value) for name, value in scope["headers"] if name == NONCE]
        headers.append((b"content-length", str(len(body)).encode()))
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})


app = Counter()
