"""A worker process: takes what its supervisor left in the environment, and serves the app.

Must know nothing but `wire`; ends with 0 after a drain, with 3 when the app cannot be served. The
engine is imported first, since gevent must replace what the app and Holdfast import.
"""

from __future__ import annotations

import os
import socket
import sys

from holdfast import wire
from holdfast.worker.asked import CANNOT_SERVE, asked
from holdfast.worker.collector import settle
from holdfast.worker.control import Control
from holdfast.worker.engine import find_engine
from holdfast.worker.failure import Failure, raised
from holdfast.worker.load_app import load_app
from holdfast.worker.output import keep_printing


def main() -> int:
    """Serve until told to stop; returns the exit code."""
    env = os.environ
    name = env.get(wire.ENV_ENGINE, wire.USUAL_ENGINE)
    fds = [_inherited(fd) for fd in (wire.ENV_CONTROL_FD, wire.ENV_LISTEN_FD)]
    app_dir = env[wire.ENV_APP_DIR]
    keep_printing()
    try:
        engine = find_engine(name)
        sys.path.insert(0, app_dir)
        app = load_app(env[wire.ENV_APP], app_dir, wire.ENGINES[name].interface, name)
    except Failure as failure:
        Control(fds[0]).say_failed(wire.FAILED, wire.STAGE_IMPORT, failure)
        return CANNOT_SERVE
    control = Control(fds[0])
    try:
        told = asked(app, app_dir, control, socket.socket(fileno=fds[1]))
        settle(_requests())
        return engine.serve(told)
    except Exception as error:
        control.say_failed(wire.FAILED, wire.STAGE_SERVE, raised("the engine", error, app_dir))
        raise


def _requests() -> int:
    """How many requests this worker is to hold at once; 0: not known."""
    in_flight = int(os.environ.get(wire.ENV_IN_FLIGHT, "0"))
    return in_flight // int(os.environ.get(wire.ENV_WORKERS, "1"))


def _inherited(name: str) -> int:
    """The descriptor that the environment names, kept from the programs that the app starts."""
    fd = int(os.environ[name])
    os.set_inheritable(fd, False)
    return fd


if __name__ == "__main__":
    sys.exit(main())
