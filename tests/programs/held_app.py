"""Apps for any server: requests are noted by process and wait for a gate. HELD is their folder.

A note is a record on standard error, and a gate is asked for by its name, so that the app takes no
descriptor of its own: what a process has of them is its server's.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

FOLDER = Path(os.environ["HELD"])
PAUSE_S = 0.02
AT_ONCE = frozenset({"/now", "/alive"})
"""What is answered without waiting, and is not noted: an edge asks it whether a server is up."""
HEADERS = [("Content-Length", "2")]


def note(what: str) -> None:
    """Note this process once more; whole records, whoever else writes."""
    os.write(2, f"@{what}{os.getpid()}@\n".encode())


class Gate:
    """Who waits, the oldest first; opened for one by one more byte in a file, for all by `gate`."""

    def __init__(self) -> None:
        self._waiting: deque[Callable[[], object]] = deque()
        self._let_go = 0
        self.is_watched = False

    def wait(self, go: Callable[[], object]) -> None:
        """Call `go` once the gate is open."""
        self._waiting.append(go)

    def look(self) -> None:
        """Let go whoever may."""
        everyone = (FOLDER / "gate").exists()
        try:
            most = (FOLDER / f"one.{os.getpid()}").stat().st_size
        except FileNotFoundError:
            most = 0
        while self._waiting and (everyone or self._let_go < most):
            self._let_go += not everyone
            self._waiting.popleft()()


GATE = Gate()


def _watch() -> None:
    pause = threading.Event()
    while True:
        GATE.look()
        pause.wait(PAUSE_S)


async def _watch_async() -> None:
    while True:
        GATE.look()
        await asyncio.sleep(PAUSE_S)


def wsgi(environ: dict[str, Any], start: Callable[..., Any]) -> list[bytes]:
    if environ["PATH_INFO"] not in AT_ONCE:
        _wait()
    start("200 OK", HEADERS)
    return [b"ok"]


def _wait() -> None:
    note("+")
    if not GATE.is_watched:
        GATE.is_watched = True
        threading.Thread(target=_watch, daemon=True).start()
    opened = threading.Event()
    GATE.wait(opened.set)
    opened.wait()
    note("-")


async def _wait_async() -> None:
    note("+")
    if not GATE.is_watched:
        GATE.is_watched = asyncio.create_task(_watch_async()) is not None
    opened = asyncio.Event()
    GATE.wait(opened.set)
    await opened.wait()
    note("-")


async def asgi(scope: dict[str, Any], receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        while (message := await receive())["type"] != "lifespan.shutdown":
            await send({"type": message["type"] + ".complete"})
        await send({"type": "lifespan.shutdown.complete"})
        return
    if scope["path"] not in AT_ONCE:
        await _wait_async()
    headers = [(name.lower().encode(), value.encode()) for name, value in HEADERS]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"ok"})


note("!")
