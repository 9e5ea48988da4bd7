"""A plain ASGI app that waits: what one request in flight costs when the app adds nothing.

Decides only how long each request takes: a seeded lognormal draw. No framework.

    uvicorn wait:app
"""

from __future__ import annotations

import asyncio
import heapq
import math
import os
import random
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

MEAN_S = float(os.environ.get("WAIT_MEAN_S", "20"))
SIGMA = float(os.environ.get("WAIT_SIGMA", "0.25"))
SEED = int(os.environ.get("WAIT_SEED", "7"))
MU = math.log(MEAN_S) - SIGMA * SIGMA / 2  # exp(mu + sigma^2 / 2) is a lognormal's mean

TICK_S = 0.005  # a wait ends at most this late; those that are due by then end together

RNG = random.Random(SEED * 1_000_003 + os.getpid())  # each process draws its own times

BODY = b"waited\n"
HEADERS = [(b"content-type", b"text/plain"), (b"content-length", b"%d" % len(BODY))]
START: Message = {"type": "http.response.start", "status": 200, "headers": HEADERS}
FINISH: Message = {"type": "http.response.body", "body": BODY}


class Alarm:
    """Ends any number of waits with one timer: `asyncio.sleep` would keep one for each."""

    def __init__(self) -> None:
        self._due: list[tuple[float, int, asyncio.Future[None]]] = []
        self._timer: asyncio.TimerHandle | None = None
        self._rings_s = math.inf  # uvloop's handle cannot say it of a timer that is due already

    def after(self, delay_s: float) -> asyncio.Future[None]:
        """A future that ends after `delay_s`; cancelling it disturbs no other."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        when_s = loop.time() + delay_s + TICK_S
        heapq.heappush(self._due, (when_s - TICK_S, id(future), future))
        if self._timer is None or when_s < self._rings_s:
            if self._timer is not None:
                self._timer.cancel()
            self._set(loop, when_s)
        return future

    def _ring(self, loop: asyncio.AbstractEventLoop) -> None:
        now_s = loop.time()
        while self._due and self._due[0][0] <= now_s:
            future = heapq.heappop(self._due)[2]
            if not future.done():
                future.set_result(None)
        self._timer = None
        if self._due:
            self._set(loop, self._due[0][0] + TICK_S)

    def _set(self, loop: asyncio.AbstractEventLoop, when_s: float) -> None:
        self._timer = loop.call_at(when_s, self._ring, loop)
        self._rings_s = when_s


ALARM = Alarm()


async def lifespan(receive: Receive, send: Send) -> None:
    """Nothing to open and nothing to close."""
    await receive()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await send({"type": "lifespan.shutdown.complete"})


async def app(scope: Message, receive: Receive, send: Send) -> None:
    """Answer 200 after a drawn time; `/health` at once."""
    if scope["type"] == "lifespan":
        await lifespan(receive, send)
        return
    if scope["type"] != "http":
        raise ValueError(f"no {scope['type']} here")
    if scope["path"] != "/health":
        await ALARM.after(RNG.lognormvariate(MU, SIGMA))
    await send(START)
    await send(FINISH)
