"""uvicorn on uvloop with httptools, set up by us: only what a plan decides is changed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import uvicorn

from holdfast.worker import aio
from holdfast.worker.asked import Asked
from holdfast.worker.uvicorn import make_server


def serve(asked: Asked) -> int:
    """Serve until a drain is over; the probe is answered on the second socket of the server."""
    config = make_config(
        asked.app,
        behind_edge=asked.behind_edge,
        backlog=asked.backlog,
        keep_alive_s=asked.keep_alive_s,
        grace_s=asked.grace_s,
    )
    server, startup = make_server(config, asked)
    return aio.run(server.serve(sockets=[asked.listener, asked.private]), asked, startup)


def make_config(
    app: Callable[..., Any],
    *,
    behind_edge: bool,
    backlog: int,
    keep_alive_s: int,
    grace_s: float,
) -> uvicorn.Config:
    """The engine's settings: never `limit_concurrency`, which counts idle clients too."""
    return uvicorn.Config(
        app,
        loop="uvloop",
        http="httptools",
        lifespan="auto",
        access_log=False,
        log_level="warning",
        forwarded_allow_ips="*" if behind_edge else None,
        backlog=backlog,
        timeout_keep_alive=keep_alive_s,
        timeout_graceful_shutdown=grace_s,  # type: ignore[arg-type]
    )
