"""The app behind the edges: uvicorn whose requests wait to be let go, and a control socket.

Run as `python held.py CONTROL OPTIONS LISTEN...`; a LISTEN is a path (unix) or ADDRESS:PORT.
"""

from __future__ import annotations

import asyncio
import json
import socket
import sys
from collections import deque
from typing import Any

import uvicorn


class Held:
    """Counts what is in flight, and the most that ever was; `/now` is answered at once."""

    def __init__(self) -> None:
        self.started = self.finished = self.most = 0
        self._waiting: deque[asyncio.Event] = deque()
        self._open = False

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        assert scope["type"] == "http"
        if scope["path"] != "/now":
            await self._wait()
        start = {"type": "http.response.start", "status": 200}
        await send(start | {"headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok"})

    async def _wait(self) -> None:
        self.started += 1
        self.most = max(self.most, self.started - self.finished)
        try:
            if not self._open:
                self._waiting.append(gate := asyncio.Event())
                await gate.wait()
        finally:
            self.finished += 1

    async def control(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer each line with the counts: `state`, `one` (lets go the oldest), `all`."""
        while line := (await reader.readline()).strip():
            self._open |= line == b"all"
            for _ in range({b"one": 1, b"all": len(self._waiting)}.get(line, 0)):
                if self._waiting:
                    self._waiting.popleft().set()
            await asyncio.sleep(0)
            counts = [self.started, self.finished, self.most]
            writer.write(json.dumps(counts).encode() + b"\n")
        writer.close()


def listening(place: str) -> socket.socket:
    """Return a socket bound to a path or to ADDRESS:PORT; uvicorn listens on it."""
    if place.startswith("/"):
        sock = socket.socket(socket.AF_UNIX)
        sock.bind(place)
        return sock
    address, port = place.rsplit(":", 1)
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind((address, int(port)))
    return sock


async def main(control: str, options: str, *places: str) -> None:
    held = Held()
    config = uvicorn.Config(held, lifespan="off", log_level="error", **json.loads(options))
    server = uvicorn.Server(config)
    sockets = [listening(place) for place in places]
    serving = asyncio.create_task(server.serve(sockets))
    while not server.started and not serving.done():
        await asyncio.sleep(0.005)
    await asyncio.start_unix_server(held.control, control)
    await serving


if __name__ == "__main__":
    import uvloop

    uvloop.run(main(*sys.argv[1:]))
