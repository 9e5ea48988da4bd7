"""A plain ASGI app that does each wrong thing that its paths name; it notes what it sees."""

from __future__ import annotations

import os
import signal
from typing import Any

from witness import note

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


async def until_left(receive: Any) -> None:
    """Wait for whoever asked to go away."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def answer(send: Any, status: int, body: bytes, *headers: tuple[bytes, bytes]) -> None:
    length = (b"content-length", b"%d" % len(body))
    await send({"type": "http.response.start", "status": status, "headers": [length, *headers]})
    await send({"type": "http.response.body", "body": body})


async def half(send: Any) -> None:
    length = (b"content-length", b"10")
    await send({"type": "http.response.start", "status": 200, "headers": [length]})
    await send({"type": "http.response.body", "body": b"half", "more_body": True})


async def app(scope: Any, receive: Any, send: Any) -> None:
    path = scope["path"]
    note(target=path, method=scope["method"])
    transport = receive.__self__.transport  # the engine lets no app do these things itself
    match path:
        case "/never":
            await until_left(receive)
        case "/half-hang":
            await half(send)
            await until_left(receive)
        case "/half-close":
            await half(send)
            transport.close()
        case "/close":
            transport.close()
        case "/die":
            os.kill(os.getpid(), signal.SIGKILL)
        case "/large-header":
            await answer(send, 200, b"", (b"a", b"x" * 40_000))
        case "/early":
            await answer(send, 403, b"no")
        case "/more":
            transport.write(OK + OK.replace(b"ok", b"no"))
            await until_left(receive)
        case _:
            await answer(send, 200, b"ok")
