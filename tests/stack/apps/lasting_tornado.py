"""Websockets that echo, and streams of events that do not end, as a Tornado application."""

from __future__ import annotations

import asyncio
import os

from tornado.web import Application, RequestHandler
from tornado.websocket import WebSocketHandler

PART, PARTS = b"x" * 65_536, 128


class Echo(WebSocketHandler):
    async def on_message(self, message: str | bytes) -> None:
        await self.write_message(message)


class Events(RequestHandler):
    async def get(self) -> None:
        self.set_header("Content-Type", "text/event-stream")
        for number in range(10**9):
            for part in ("data: ", f"{number}\n\n"):
                self.write(part)
                await self.flush()
                await asyncio.sleep(0.01)


class Large(RequestHandler):
    async def get(self) -> None:
        for _ in range(PARTS):
            self.write(PART)
            await self.flush()


class Who(RequestHandler):
    async def get(self) -> None:
        self.finish(b"%d" % os.getpid())

    post = get


app = Application([(r"/ws/.*", Echo), (r"/events", Events), (r"/large", Large), (r"/.*", Who)])
