"""A worker process: takes what its supervisor left in the environment, and serves the app.

Must know nothing but `wire`; ends with 0 after a drain, with 3 when the app cannot be served.
"""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import Callable
from typing import Any, Final

import uvicorn

from holdfast import wire
from holdfast.worker.collector import settle
from holdfast.worker.control import Control
from holdfast.worker.failure import Failure, raised
from holdfast.worker.lifespan import Startup
from holdfast.worker.load_app import load_app
from holdfast.worker.serve import Server
from holdfast.worker.shim import Shim

CANNOT_SERVE: Final = 3


def main() -> int:
    """Serve until told to stop; returns the exit code."""
    env = os.environ
    control = Control(_inherited(wire.ENV_CONTROL_FD))
    listener = socket.socket(fileno=_inherited(wire.ENV_LISTEN_FD))
    app_dir = env[wire.ENV_APP_DIR]
    sys.path.insert(0, app_dir)
    _line_buffered()
    try:
        app = load_app(env[wire.ENV_APP], app_dir)
    except Failure as failure:
        control.say_failed(wire.FAILED, wire.STAGE_IMPORT, failure)
        return CANNOT_SERVE
    try:
        return _serve(app, app_dir, control, listener)
    except Exception as error:
        control.say_failed(wire.FAILED, wire.STAGE_SERVE, raised("the engine", error, app_dir))
        raise


def _serve(app: Callable[..., Any], app_dir: str, control: Control, listener: socket.socket) -> int:
    config = _config(app, behind_edge=listener.family == socket.AF_UNIX)
    config.load()
    startup = Startup(config.loaded_app, app_dir)
    probe = os.environ[wire.ENV_PROBE_PATH]
    shim = Shim(config.loaded_app, startup.serve, _claimed_row(), probe, _identity())
    config.loaded_app = shim
    settle(_requests())
    server = Server(config, shim, control, float(os.environ[wire.ENV_DIALLER_IDLE_S]))
    private = socket.socket(socket.AF_UNIX)
    private.bind(probe)
    try:
        with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
            runner.run(server.serve(sockets=[listener, private]))
    except SystemExit:
        if server.started or startup.failure is None:
            raise
        control.say_failed(wire.FAILED, wire.STAGE_STARTUP, startup.failure)
        return CANNOT_SERVE
    return 0


def _config(app: Callable[..., Any], *, behind_edge: bool) -> uvicorn.Config:
    """The engine's settings: never `limit_concurrency`, which counts idle clients too.

    On a unix socket nobody but the edge can ask, so what it says of the client is believed.
    """
    return uvicorn.Config(
        app,
        loop="uvloop",
        http="httptools",
        lifespan="auto",
        access_log=False,
        log_level="warning",
        forwarded_allow_ips="*" if behind_edge else None,
        backlog=int(os.environ[wire.ENV_BACKLOG]),
        timeout_keep_alive=int(os.environ[wire.ENV_KEEP_ALIVE_S]),
        timeout_graceful_shutdown=float(os.environ[wire.ENV_GRACE_S]),  # type: ignore[arg-type]
    )


def _identity() -> dict[str, object]:
    return {
        "pid": os.getpid(),
        "slot": int(os.environ[wire.ENV_SLOT]),
        "generation": int(os.environ[wire.ENV_GENERATION]),
    }


def _requests() -> int:
    """How many requests this worker is to hold at once; 0: not known."""
    in_flight = int(os.environ.get(wire.ENV_IN_FLIGHT, "0"))
    return in_flight // int(os.environ.get(wire.ENV_WORKERS, "1"))


def _claimed_row() -> memoryview:
    """This worker's row of the gauge."""
    row = int(os.environ[wire.ENV_GAUGE_ROW])
    gauge = wire.Gauge(os.environ[wire.ENV_GAUGE])
    slot, generation = int(os.environ[wire.ENV_SLOT]), int(os.environ[wire.ENV_GENERATION])
    gauge.claim(row, slot, generation, os.getpid())
    return gauge.words(row)


def _inherited(name: str) -> int:
    """The descriptor that the environment names, kept from the programs that the app starts."""
    fd = int(os.environ[name])
    os.set_inheritable(fd, False)
    return fd


def _line_buffered() -> None:
    """What the app prints must be in its log when it dies."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(line_buffering=True)


if __name__ == "__main__":
    sys.exit(main())
