"""What stack, worker and kit agree on: environment names, the gauge's layout, control messages.

Imports nothing of holdfast, so that the shim inside an app process stays small. Decides nothing.
"""

from __future__ import annotations

import importlib.util
import json
import mmap
import os
from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple

# Environment of a worker process.
ENV_APP: Final = "HOLDFAST_APP"
"""`module:attribute` of the app to serve."""
ENV_APP_DIR: Final = "HOLDFAST_APP_DIR"
"""Folder put first on the import path before the app is imported."""
ENV_SLOT: Final = "HOLDFAST_SLOT"
ENV_GENERATION: Final = "HOLDFAST_GENERATION"
ENV_LISTEN_FD: Final = "HOLDFAST_LISTEN_FD"
"""Descriptor number of the slot's inherited listening socket."""
ENV_PROBE_PATH: Final = "HOLDFAST_PROBE_PATH"
"""Unix socket on which only this worker answers its supervisor (`p-SLOT.GEN.sock`)."""
ENV_CONTROL_FD: Final = "HOLDFAST_CONTROL_FD"
"""Descriptor of the socket to the supervisor: one JSON message a line, both ways."""
ENV_GAUGE: Final = "HOLDFAST_GAUGE"
"""Path of the gauge file."""
ENV_GAUGE_ROW: Final = "HOLDFAST_GAUGE_ROW"
ENV_KEEP_ALIVE_S: Final = "HOLDFAST_KEEP_ALIVE_S"
ENV_BACKLOG: Final = "HOLDFAST_BACKLOG"
ENV_GRACE_S: Final = "HOLDFAST_GRACE_S"
ENV_DIALLER_IDLE_S: Final = "HOLDFAST_DIALLER_IDLE_S"
"""How long an edge keeps an idle connection to this worker; 0: no edge, clients dial themselves."""
ENV_IN_FLIGHT: Final = "HOLDFAST_IN_FLIGHT"
"""The number that the whole path was sized for; the kit sizes pools from it."""
ENV_WORKERS: Final = "HOLDFAST_WORKERS"

ENV_ENGINE: Final = "HOLDFAST_ENGINE"
"""The name of `ENGINES` that serves the app."""
ENV_CAP: Final = "HOLDFAST_CAP"
"""What the engine serves at once, where it caps anything; 0: as much as it does by itself."""
ENV_CONNECTIONS: Final = "HOLDFAST_CONNECTIONS"
"""Connections that a gthread worker has, idle or waiting for a thread; 0: as in gunicorn."""

ENV_WEBSOCKETS_S: Final = "HOLDFAST_WEBSOCKETS_S"
ENV_STREAMS_S: Final = "HOLDFAST_STREAMS_S"
"""Over how long a worker that drains tells these to come back."""
ENV_ADMISSION: Final = "HOLDFAST_ADMISSION"
"""`Places` of the worker, as its text; unset: whoever comes is let in."""

Interface = Literal["ASGI", "WSGI", "Tornado"]


class Places(NamedTuple):
    """What one worker lets in: `cap` requests at once, and `room` more that wait `wait_s` at most.

    Who gets no place is told to ask again after `retry_after_s`. The paths in `health` need none.
    """

    cap: int
    room: int
    wait_s: float
    retry_after_s: int
    health: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """As it stands in the environment."""
        return json.dumps(self)

    @classmethod
    def of(cls, text: str) -> Places:
        """The places of such a text."""
        *numbers, health = json.loads(text)
        cap, room, wait_s, retry_after_s = numbers
        return cls(cap, room, wait_s, retry_after_s, tuple(health))


class Engine(NamedTuple):
    """What serves an app inside a worker, and what has to be there for it.

    `caps` names what it has no more of than it was told (connections, threads), where it has such a
    cap. BY_PLACES: it has none, and is run only where its workers have `Places`. `packages` are
    those that are imported; `extra` brings them, none is always there.
    """

    interface: Interface
    packages: tuple[str, ...]
    extra: str = ""
    caps: str = ""

    def missing(self) -> tuple[str, ...]:
        """Those of its packages that are not installed; imports none of them."""
        return tuple(name for name in self.packages if importlib.util.find_spec(name) is None)


BY_PLACES: Final = "places"

ENGINES: Final = {
    "uvicorn": Engine("ASGI", ("uvicorn",)),
    "hypercorn": Engine("ASGI", ("hypercorn",), "hypercorn"),
    "granian": Engine("ASGI", ("granian",), "granian", "connections"),
    "gunicorn-asgi": Engine("ASGI", ("gunicorn",), "gunicorn-asgi", BY_PLACES),
    "uvicorn-worker": Engine("ASGI", ("uvicorn_worker", "gunicorn"), "uvicorn-worker"),
    "gevent": Engine("WSGI", ("gevent", "gunicorn"), "gevent", "connections"),
    "gthread": Engine("WSGI", ("gunicorn",), "gunicorn", "threads"),
    "sync": Engine("WSGI", ("gunicorn",), "gunicorn", "requests"),
    "tornado": Engine("Tornado", ("tornado",), "tornado"),
}
"""By name; what the worker runs for each is a file of `worker/engines/`."""
USUAL_ENGINE: Final = "uvicorn"
USUAL_ENGINES: Final[dict[str, str]] = {
    "ASGI": USUAL_ENGINE,
    "WSGI": "gevent",
    "Tornado": "tornado",
}
"""By interface: what serves an app that shows what it speaks, where nobody names an engine."""

# Control messages, worker -> supervisor: {"type": READY}, {"type": CUT, "requests": n},
# {"type": TOLD, "websockets": n, "streams": n}, or
# {"type": FAILED, "stage": ..., "error": ..., "place": ..., "hint": ..., "trace": ...}.
READY: Final = "ready"
CUT: Final = "cut"
"""The grace time is over: so many requests were cut."""
TOLD: Final = "told"
"""So many websockets and so many streams of events were told to come back."""
FAILED: Final = "failed"
STAGE_IMPORT: Final = "import"
STAGE_STARTUP: Final = "startup"
STAGE_SERVE: Final = "serve"
# Control messages, supervisor -> worker.
DRAIN: Final = "drain"

NONCE_HEADER: Final = "x-holdfast-nonce"
"""A request that carries it gets it back in its answer, so that a mixed-up answer shows."""

GAUGE_MAGIC: Final = 0x484F4C4446415354  # "HOLDFAST"
GAUGE_VERSION: Final = 2
WORDS_PER_ROW: Final = 16
"""128 bytes a row, so that two workers never write the same cache line."""
STARTED, FINISHED, PID, SLOT, GENERATION, WAITING, REFUSED, UPGRADED, LAG_US = range(9)
"""WAITING: requests without a place yet, which are not in flight; REFUSED: told that there is none;
UPGRADED: those in flight that are websockets; LAG_US: how late the worker's loop is, microseconds.
"""


def encode(message: dict[str, object]) -> bytes:
    """One control message as a line of JSON."""
    return json.dumps(message, separators=(",", ":")).encode() + b"\n"


def decode(buffer: bytes) -> tuple[list[dict[str, Any]], bytes]:
    """The whole messages in `buffer`, and the bytes of one that has not fully arrived."""
    *lines, rest = buffer.split(b"\n")
    return [json.loads(line) for line in lines], rest


@dataclass(frozen=True, slots=True)
class Row:
    """One worker generation's counts: requests started and finished since it was born.

    `waiting` have no place yet, and `refused` got none; neither has started. `upgraded` are those
    in flight that are websockets. `lag_us` is how late the worker's loop is, 0 where it has none.
    """

    slot: int
    generation: int
    pid: int
    started: int
    finished: int
    waiting: int = 0
    refused: int = 0
    upgraded: int = 0
    lag_us: int = 0


class Gauge:
    """Counters in one mmap file: row 0 is the header, then one row per worker generation.

    A word is an unsigned 64-bit integer with a single writer (the worker), so a reader never sees
    half of one.
    """

    def __init__(self, path: str, *, create_rows: int | None = None) -> None:
        """Open the file at `path`, or create it with room for `create_rows` generations."""
        if create_rows is not None:
            size = (create_rows + 1) * WORDS_PER_ROW * 8
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            os.posix_fallocate(fd, 0, size)  # on a full disk an error here, not a SIGBUS later
        else:
            fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
            size = os.fstat(fd).st_size
        try:
            self._map = mmap.mmap(fd, size)
        finally:
            os.close(fd)
        self._words = memoryview(self._map).cast("Q")
        self.rows = size // (WORDS_PER_ROW * 8) - 1
        if create_rows is not None:
            self._words[0], self._words[1] = GAUGE_MAGIC, GAUGE_VERSION
        elif self._words[0] != GAUGE_MAGIC or self._words[1] != GAUGE_VERSION:
            raise ValueError(f"{path} is not a gauge of version {GAUGE_VERSION}")

    def words(self, row: int) -> memoryview:
        """The row's words, writable: index with STARTED, FINISHED, PID, SLOT, GENERATION."""
        if not 0 <= row < self.rows:
            raise IndexError(f"row {row} of a gauge with {self.rows}")
        first = (row + 1) * WORDS_PER_ROW
        return self._words[first : first + WORDS_PER_ROW]

    def claim(self, row: int, slot: int, generation: int, pid: int) -> None:
        """Give the row to a new worker generation; its counters start at zero."""
        words = self.words(row)
        words[STARTED] = words[FINISHED] = words[WAITING] = words[REFUSED] = 0
        words[UPGRADED] = words[LAG_US] = 0
        words[SLOT], words[GENERATION], words[PID] = slot, generation, pid

    def free(self, row: int) -> None:
        """Mark the row unused; what a dead worker still held is no longer in flight."""
        self.words(row)[PID] = 0

    def read(self) -> tuple[Row, ...]:
        """Every row in use. Finished is read before started, so in flight is never below zero."""
        found = []
        for row in range(self.rows):
            words = self.words(row)
            finished = words[FINISHED]
            if words[PID]:
                who = words[SLOT], words[GENERATION], words[PID]
                found.append(Row(*who, words[STARTED], finished, *words[WAITING : LAG_US + 1]))
        return tuple(found)

    def in_flight(self) -> int:
        """Requests started and not finished, over all rows in use."""
        return sum(row.started - row.finished for row in self.read())

    def close(self) -> None:
        """Unmap the file; the file itself stays."""
        self._words.release()
        self._map.close()
