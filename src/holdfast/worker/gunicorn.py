"""gunicorn's workers without its arbiter: their settings, their sockets, and how they are told.

What a class of workers does differently stands in its own file of `engines/`.
"""

from __future__ import annotations

import _socket
import os
import socket
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Any, Protocol

from gunicorn import sock
from gunicorn.config import Config
from gunicorn.glogging import Logger

from holdfast.wire import READY
from holdfast.worker.asked import Asked
from holdfast.worker.clients import with_client
from holdfast.worker.leaving import is_waiting
from holdfast.worker.wsgi import Environ, StartResponse, WsgiShim

FAMILIES = {
    socket.AF_INET: sock.TCPSocket,
    socket.AF_INET6: sock.TCP6Socket,
    socket.AF_UNIX: sock.UnixSocket,
}
LOOK_S = 1.0
"""How often a worker without work looks up: gunicorn's own step."""


class Application:
    """What gunicorn asks for the app."""

    def __init__(self, app: Any) -> None:
        self._app = app

    def wsgi(self) -> Any:
        """The app itself: it was imported before."""
        return self._app


class GunicornWorker(Protocol):
    """What the classes of gunicorn's workers have in common, as far as it is used here."""

    sockets: list[Any]
    alive: bool


def settings(asked: Asked, **others: Any) -> Config:
    """gunicorn's settings for one worker, that nobody else watches."""
    config = Config()
    told = {
        "workers": 1,
        "backlog": asked.backlog,
        "keepalive": asked.keep_alive_s,
        "graceful_timeout": int(asked.grace_s) + 1,
        "loglevel": "warning",
        "errorlog": "-",
        "accesslog": None,
        "forwarded_allow_ips": "*" if asked.behind_edge else "127.0.0.1,::1",
        **others,
    }
    for name, value in told.items():
        config.set(name, value)
    return config


def make_shim(asked: Asked) -> WsgiShim:
    """The app as gunicorn is to call it."""

    def is_probe(environ: Environ) -> bool:
        """Only unix sockets have no client address, and only one of them is the private one."""
        return not environ["REMOTE_ADDR"] and (
            environ["gunicorn.socket"].getsockname() == asked.probe
        )

    def force_close(start_response: StartResponse) -> None:
        start_response.__self__.force_close()  # type: ignore[attr-defined]

    app = with_client(asked.app) if asked.behind_edge else asked.app
    return WsgiShim(
        app,
        asked.words,
        asked.identity,
        is_probe,
        force_close,
        asked.places,
        lambda environ: has_left(environ["gunicorn.socket"].fileno()),
    )


def has_left(fd: int) -> bool:
    """Whether the client of a connection has closed it; asked of the kernel, without waiting."""
    client = _socket.socket(fileno=fd)  # not gevent's, which would wait
    try:
        return not client.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except BlockingIOError:
        return False
    except OSError:
        return True
    finally:
        client.detach()


def make_worker(
    made: Callable[..., Any], asked: Asked, app: Callable[..., Any], config: Config
) -> Any:
    """A worker of gunicorn's on the inherited socket and, beside it, on the private one."""
    log = Logger(config)
    sockets = []
    for opened in (asked.listener, asked.private):
        name, family = opened.getsockname(), opened.family
        sockets.append(FAMILIES[family](name, config, log, fd=opened.detach()))
    return made(0, os.getppid(), sockets, Application(app), LOOK_S, config, log)


class Told:
    """A mixin for gunicorn's workers: signals ask for a drain, which our supervisor may too.

    `asked` and `shim` are given before the worker runs.
    """

    asked: Asked
    shim: WsgiShim

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """TERM: drain."""
        self.asked.control.hang_up()

    def handle_quit(self, sig: int, frame: FrameType | None) -> None:
        """INT, which a terminal sends to all: drain."""
        self.asked.control.hang_up()

    def serve_until_drained(self) -> None:
        """Say that the worker serves, wait for a call to drain, and go through its steps."""
        self.asked.control.say(READY)
        while not self.asked.control.hear():
            pass
        for pause_s in self.asked.leaving(self, self.shim).steps():  # type: ignore[arg-type]
            time.sleep(pause_s)

    def drain_beside(self) -> None:
        """Do so in a thread, for workers whose main thread serves."""
        threading.Thread(target=self.serve_until_drained, daemon=True).start()


class ByItself(Told):
    """The door of a worker that ends by itself once it is not alive and has nothing left."""

    is_over = False

    def run(self) -> None:
        """Serve until it is not alive and has nothing left; a thread beside is told to drain."""
        self.drain_beside()
        super().run()  # type: ignore[misc]
        self.is_over = True

    def waiting(self: Any) -> bool:
        """Whether a connection waits for one that is served to end."""
        return is_waiting(self.sockets[0].fileno())

    def open(self) -> int:
        """Connections are its own affair: it runs as long as there are any."""
        return not self.is_over

    def finish(self) -> None:
        """It closes idle ones itself."""

    def cut(self) -> None:
        """A thread cannot be told to end: the process does."""
        os._exit(0)
