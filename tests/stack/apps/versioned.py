"""A plain ASGI app that says of which version it is, after a time that its client's nonce draws."""

from __future__ import annotations

from typing import Any

from version import HEADER, NONCE, VERSION, begin
from wait import ALARM

HEADERS = [(b"content-length", b"2"), (HEADER.encode(), VERSION.encode())]
WANTED = NONCE.encode()


async def app(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] != "http":
        raise ValueError("only http is spoken here")
    nonce = next((value for name, value in scope["headers"] if name == WANTED), b"")
    time_s = begin(nonce.decode())
    if time_s:
        await ALARM.after(time_s)
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
    await send({"type": "http.response.body", "body": b"ok"})
