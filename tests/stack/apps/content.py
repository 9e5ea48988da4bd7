"""A plain ASGI app that answers as its query says, and each time with another number.

`gate` and `fail` name files in CONTROL: it waits until the one is there, and answers 503 while the
other is. `h` is a header of the answer, `etag` what a conditional request is compared with.
"""

from __future__ import annotations

import asyncio
import itertools
import os
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

CONTROL = Path(os.environ["CONTROL"])
made = itertools.count(1)
waits: dict[str, asyncio.Future[None]] = {}


async def opened(gate: str) -> None:
    """One looks for all who wait, who may be many."""
    while not (CONTROL / gate).exists():
        await asyncio.sleep(0.01)
    waits.pop(gate, None)


async def app(scope: Any, _receive: Any, send: Any) -> None:
    number = next(made)
    asked = {name.decode(): value.decode() for name, value in scope["headers"]}
    query = parse_qs(scope["query_string"].decode())
    status = int(query.get("status", ["200"])[0])
    headers = [tuple(line.split(":", 1)) for line in query.get("h", [])]
    for gate in query.get("gate", []):
        if gate not in waits:
            waits[gate] = asyncio.ensure_future(opened(gate))
        await asyncio.shield(waits[gate])
    if any((CONTROL / name).exists() for name in query.get("fail", [])):
        status = 503
    body = f"{number} {asked.get('range', '-')} {asked.get('x-shown', '-')} ".encode()
    body += b"x" * int(query.get("bytes", ["0"])[0])
    for etag in query.get("etag", []):
        headers.append(("etag", etag))
        if asked.get("if-none-match") == etag:
            status, body = 304, b""
    headers.append(("content-length", str(len(body))))
    coded = [(name.encode(), value.encode()) for name, value in headers]
    await send({"type": "http.response.start", "status": status, "headers": coded})
    await send({"type": "http.response.body", "body": body})
