"""The contract of an engine, and how one is found by its name. Knows none of them."""

from __future__ import annotations

import importlib
import sys
from typing import Protocol

from holdfast.wire import ENGINES
from holdfast.worker.asked import Asked
from holdfast.worker.failure import Failure, tail_of


class Engine(Protocol):
    """A module of `worker/engines/`, imported before the app is."""

    def serve(self, asked: Asked) -> int:
        """Serve until the supervisor or a signal asks for a drain; the exit code.

        It accepts on `asked.listener` and nothing else, listens with `asked.backlog`, says READY
        once it accepts, answers the supervisor on `asked.private`, counts each request once, and
        leaves as `Leaving` says. A startup of the app that fails is told, and CANNOT_SERVE.
        """


def find_engine(name: str) -> Engine:
    """The module of a name of `ENGINES`; raises Failure where its package is missing."""
    row = ENGINES[name]
    try:
        if missing := row.missing():  # gevent's imports gunicorn only once it serves
            raise ModuleNotFoundError(f"No module named {missing[0]!r}", name=missing[0])
        return importlib.import_module(f"holdfast.worker.engines.{name.replace('-', '_')}")
    except ImportError as error:
        package = (error.name or row.packages[0]).partition(".")[0]
        wanted = f"holdfast[{row.extra}]" if row.extra else "holdfast"
        raise Failure(
            f"the engine `{name}` needs `{package}`, which is not there",
            hint=f"install `{wanted}` for {sys.executable}",
            trace=tail_of(error),
        ) from None
