"""Apps for any server: requests are noted by process and wait for a gate. HELD is their folder."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

FOLDER = Path(os.environ["HELD"])
NOTES = {
    name: os.open(FOLDER / name, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    for name in ("started", "finished")
}
"""Open from the start, so that a request takes no descriptor of its own."""
PAUSE_S = 0.01


def note(name: str) -> None:
    """Note this process once more under a name; whole lines, whoever else writes."""
    os.write(NOTES[name], f"{os.getpid():9}\n".encode())


def is_open() -> bool:
    return (FOLDER / "gate").exists()


def wsgi(environ: dict[str, Any], start: Callable[..., Any]) -> list[bytes]:
    note("started")
    while not is_open():
        threading.Event().wait(PAUSE_S)
    note("finished")
    start("200 OK", [("Content-Length", "2")])
    return [b"ok"]


async def asgi(scope: dict[str, Any], receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        while (message := await receive())["type"] != "lifespan.shutdown":
            await send({"type": message["type"] + ".complete"})
        await send({"type": "lifespan.shutdown.complete"})
        return
    note("started")
    while not is_open():
        await asyncio.sleep(PAUSE_S)
    note("finished")
    await send(
        {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]}
    )
    await send({"type": "http.response.body", "body": b"ok"})
