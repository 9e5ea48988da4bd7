"""What the check kit of engines asks, as a Tornado application: see `kit_wsgi` for the same."""

from __future__ import annotations

import os

from tornado.web import Application, RequestHandler


class Any(RequestHandler):
    async def get(self) -> None:
        path = self.request.path
        if path == "/raise":
            raise ValueError("as asked")
        if path == "/stream":
            for part in (b"one", b"two", b"three"):
                self.write(part)
                await self.flush()
            return
        if path == "/client":
            self.finish(f"{self.request.remote_ip} {self.request.protocol}")
            return
        self.finish(b"%d" % os.getpid() if path == "/" else self.request.body)

    post = head = get


app = Application([(r"/.*", Any)])
