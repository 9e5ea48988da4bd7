"""A plain ASGI app that writes down each request as it comes, and the body that it read of it."""

from __future__ import annotations

import json
import os
from typing import Any

_seen = os.open(os.environ["WITNESS"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)


def note(**what: Any) -> None:
    """One line, whole, at once: whoever reads it needs no lock."""
    os.write(_seen, json.dumps(what).encode() + b"\n")


async def app(scope: Any, receive: Any, send: Any) -> None:
    headers = [(name.decode("latin1"), value.decode("latin1")) for name, value in scope["headers"]]
    if scope["type"] == "websocket":
        note(websocket=scope["path"])
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.close"})
        return
    note(method=scope["method"], target=scope["raw_path"].decode("latin1"), headers=headers)
    body = b""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            note(left=scope["path"])
            return
        body += message["body"]
        if not message["more_body"]:
            break
    note(body=len(body), of=scope["path"])
    answer = [(b"content-length", b"2")]
    await send({"type": "http.response.start", "status": 200, "headers": answer})
    await send({"type": "http.response.body", "body": b"ok"})
