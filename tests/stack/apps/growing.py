"""A plain ASGI app that keeps what it is told to take: `/grow?64` is 64 MiB more, for ever.

`/block?0.4` stops its loop for so many seconds. Every answer is the worker's process id.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

if Path(os.environ.get("BROKEN", "/nowhere")).exists():
    raise RuntimeError("broken since it was started")

kept: list[bytes] = []


async def app(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] != "http":
        raise ValueError("only http is spoken here")
    number = float(scope["query_string"] or b"0")
    if scope["path"] == "/grow":
        kept.append(os.urandom(2**20) * int(number))
    if scope["path"] == "/block":
        threading.Event().wait(number)
    body = b"%d" % os.getpid()
    headers = [(b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
