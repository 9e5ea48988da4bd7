"""What a worker was asked to be, from its environment; the same record for every engine."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from holdfast import wire
from holdfast.worker.control import Control
from holdfast.worker.held import Held
from holdfast.worker.leaving import Door, Leaving

CANNOT_SERVE: Final = 3
"""The exit code of a worker whose app cannot be served."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One worker: serve `app`, imported from `app_dir`, on `listener`, and count in `words`.

    The supervisor asks on `private`, a unix socket bound to the path `probe`, who is there, and is
    told `identity`. The engine has at most `cap` at once of whatever it caps, and `connections`
    where that is of threads; 0: as it likes. `places` are what is let in to the app.
    A drain has websockets leave over `websockets_s`, and streams of events over `streams_s`.
    """

    app: Callable[..., Any]
    app_dir: str
    control: Control
    listener: socket.socket
    private: socket.socket
    probe: str
    words: memoryview
    identity: dict[str, object]
    backlog: int
    cap: int
    connections: int
    keep_alive_s: int
    grace_s: float
    dialler_idle_s: float
    places: wire.Places | None = None
    websockets_s: float = 0.0
    streams_s: float = 0.0

    @property
    def behind_edge(self) -> bool:
        """On a unix socket nobody but the edge can ask: what it says of a client is believed."""
        return self.listener.family == socket.AF_UNIX

    def leaving(self, door: Door, held: Held) -> Leaving:
        """The drain of an engine with such a door."""
        return Leaving(
            door,
            held,
            self.control,
            grace_s=self.grace_s,
            dialler_idle_s=self.dialler_idle_s,
            websockets_s=self.websockets_s,
            streams_s=self.streams_s,
        )


def asked(
    app: Callable[..., Any], app_dir: str, control: Control, listener: socket.socket
) -> Asked:
    """What the supervisor left in the environment; claims the worker's row of the gauge."""
    env = os.environ
    probe = env[wire.ENV_PROBE_PATH]
    private = socket.socket(socket.AF_UNIX)
    private.bind(probe)
    slot, generation = int(env[wire.ENV_SLOT]), int(env[wire.ENV_GENERATION])
    gauge, row = wire.Gauge(env[wire.ENV_GAUGE]), int(env[wire.ENV_GAUGE_ROW])
    gauge.claim(row, slot, generation, os.getpid())
    return Asked(
        app=app,
        app_dir=app_dir,
        control=control,
        listener=listener,
        private=private,
        probe=probe,
        words=gauge.words(row),
        identity={"pid": os.getpid(), "slot": slot, "generation": generation},
        backlog=int(env[wire.ENV_BACKLOG]),
        cap=int(env.get(wire.ENV_CAP, "0")),
        connections=int(env.get(wire.ENV_CONNECTIONS, "0")),
        keep_alive_s=int(env[wire.ENV_KEEP_ALIVE_S]),
        grace_s=float(env[wire.ENV_GRACE_S]),
        dialler_idle_s=float(env[wire.ENV_DIALLER_IDLE_S]),
        websockets_s=float(env.get(wire.ENV_WEBSOCKETS_S, "0")),
        streams_s=float(env.get(wire.ENV_STREAMS_S, "0")),
        places=wire.Places.of(env[wire.ENV_ADMISSION]) if env.get(wire.ENV_ADMISSION) else None,
    )
