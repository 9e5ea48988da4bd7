"""The app of `held_app` as a Tornado application."""

from __future__ import annotations

import held_app
from tornado.web import Application, RequestHandler


class Any(RequestHandler):
    async def get(self) -> None:
        if self.request.path not in held_app.AT_ONCE:
            await held_app._wait_async()
        self.finish(b"ok")


app = Application([(r"/.*", Any)])
