"""A plain ASGI app that prints: 17 MiB for `/much`, and for `/die` its last words."""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

MIB = 2**20


async def app(scope: Any, receive: Any, send: Any) -> None:
    if scope["path"] == "/much":
        for _ in range(17):
            sys.stdout.write("much\n" * (MIB // 5 + 1))
        sys.stdout.flush()
    if scope["path"] == "/die":
        print("last words", flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    await send(
        {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]}
    )
    await send({"type": "http.response.body", "body": b""})
