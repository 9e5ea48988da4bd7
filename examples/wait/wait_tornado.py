"""The waiting app as a Tornado application: a handler awaits the same alarm as the ASGI app.

holdfast up wait_tornado:app --engine tornado
"""

from __future__ import annotations

from tornado.web import Application, RequestHandler
from wait import ALARM, BODY, MU, RNG, SIGMA


class Wait(RequestHandler):
    """Answers 200 after a drawn time; `/health` at once."""

    async def get(self) -> None:
        """Wait, then answer."""
        if self.request.path != "/health":
            await ALARM.after(RNG.lognormvariate(MU, SIGMA))
        self.finish(BODY)


app = Application([(r"/.*", Wait)])
