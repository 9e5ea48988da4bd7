"""A plain ASGI app whose requests stay in flight until their clients have sent the whole body."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import resource
import subprocess
import sys
from typing import Any


async def whole_body(receive: Any) -> bool:
    """Wait for the last byte; False when the client went away before."""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return False
        if not message["more_body"]:
            return True


async def answer(send: Any, body: bytes) -> None:
    headers = [(b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def facts() -> bytes:
    """What a worker knows of itself."""
    return json.dumps(
        {
            "pid": os.getpid(),
            "nofile": resource.getrlimit(resource.RLIMIT_NOFILE)[0],
            "cwd": os.getcwd(),
            "path": sys.path[0],
            "mark": os.environ.get("MARK"),
            "group": os.getpgid(0),
            "collector": [*gc.get_threshold(), gc.get_freeze_count() > 0],
            "environ": {k: v for k, v in os.environ.items() if k.startswith("HOLDFAST_")},
        }
    ).encode()


async def app(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] != "http":
        raise ValueError("only http is spoken here")
    path = scope["path"]
    if path == "/stubborn":  # neither the client nor a cancellation ends it
        while True:
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                continue
    came = await whole_body(receive)
    if path == "/raise" or not came:
        raise ValueError(f"as asked: {came}")
    if path == "/half":
        headers = [(b"content-length", b"5")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"ha", "more_body": True})
        return
    answerer = os.getpid()
    if path == "/fork":  # carelessly: what can be inherited is
        answerer = subprocess.Popen(["sleep", "3600"], close_fds=False).pid
    await answer(send, facts() if path == "/facts" else b"%d" % answerer)
    if path == "/background":
        await receive()  # the client's leaving, long after the answer
