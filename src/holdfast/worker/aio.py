"""What engines on an event loop share: how they wait for the call to drain, and for its steps."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable, Coroutine
from typing import Any

import uvicorn
import uvloop
from uvicorn.lifespan.on import LifespanOn
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from holdfast.wire import FAILED, READY, STAGE_STARTUP
from holdfast.worker.asked import CANNOT_SERVE, Asked
from holdfast.worker.held import Held
from holdfast.worker.lag import Lag
from holdfast.worker.leaving import Door, Leaving
from holdfast.worker.lifespan import Startup
from holdfast.worker.shim import Shim


def make_shim(asked: Asked) -> tuple[Shim, Startup]:
    """The app as an ASGI engine that leaves client addresses alone is to call it."""
    app = ProxyHeadersMiddleware(asked.app, "*") if asked.behind_edge else asked.app
    startup = Startup(app, asked.app_dir)  # type: ignore[arg-type]
    shim = Shim(
        app,  # type: ignore[arg-type]
        startup.serve,
        asked.words,
        asked.probe,
        asked.identity,
        asked.places,
        skips_bodies=False,
    )
    return shim, startup


def run(main: Coroutine[Any, Any, None], asked: Asked, startup: Startup | None = None) -> int:
    """Run `main` on uvloop; where it raises because the app's startup failed, that is told."""

    def serve() -> None:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(main)

    return tell(serve, asked, startup)


def tell(serve: Callable[[], None], asked: Asked, startup: Startup | None) -> int:
    """Serve to the end; where it raises because the app's startup failed, that is told."""
    try:
        serve()
    except (Exception, SystemExit):
        if startup is None or startup.failure is None:
            raise
        asked.control.say_failed(FAILED, STAGE_STARTUP, startup.failure)
        return CANNOT_SERVE
    return 0


async def start_app(shim: Shim) -> LifespanOn:
    """Run the app's startup, for engines that leave that to a worker of their own."""
    lifespan = LifespanOn(uvicorn.Config(shim, log_level="warning"))
    await lifespan.startup()
    if lifespan.should_exit:
        raise RuntimeError("the app's startup failed")
    return lifespan


def hear(asked: Asked, on_drain: Callable[[], None]) -> None:
    """Say that the worker serves, and how late its loop is; from now on call `on_drain` when the
    supervisor asks for it."""
    loop, control = asyncio.get_running_loop(), asked.control
    control.setblocking(False)

    def heard() -> None:
        if control.hear():
            loop.remove_reader(control.fileno())
            on_drain()

    loop.add_reader(control.fileno(), heard)
    _measure(loop, Lag(asked.words))
    control.say(READY)


def _measure(loop: asyncio.AbstractEventLoop, lag: Lag) -> None:
    """See how late the loop is, as long as it runs."""

    def came() -> None:
        lag.came()
        loop.call_later(lag.next_s(), came)

    loop.call_later(lag.next_s(), came)


async def leave(leaving: Leaving) -> None:
    """Go through the steps of a drain."""
    for pause_s in leaving.steps():
        await asyncio.sleep(pause_s)


async def answer_probe(asked: Asked, held: Held) -> asyncio.Server:
    """Answer the supervisor in this loop, for engines that accept on one socket only."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            body = held.probed()
            head = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\nconnection: close\r\n\r\n"
            writer.write(head % len(body) + body)
            await writer.drain()
        writer.close()

    return await asyncio.start_unix_server(answer, sock=asked.private)


def die_before_serving() -> None:
    """A signal before the first request: there is nothing to drain."""
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, os._exit, 0)


async def stay(asked: Asked, held: Held, door: Door) -> None:
    """Serve until a signal or the supervisor asks for a drain, and until that is over."""
    loop, told = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told.set)
    hear(asked, told.set)
    await told.wait()
    await leave(asked.leaving(door, held))
