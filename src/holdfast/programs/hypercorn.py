"""hypercorn: its settings, and what one worker process holds. It caps nothing itself. No I/O."""

from __future__ import annotations

import msgspec

from holdfast.model.limit import Limit
from holdfast.model.path import Demand, Hop, Path
from holdfast.programs.rows import Setting, effective
from holdfast.programs.servers import (
    BACKLOG,
    CLOSED,
    NOFILE,
    PAUSES,
    WORKERS,
    descriptors,
    event_loop,
)

RUN = "0.18.0"
"""The version whose limits were run for real."""
OWN = 11
"""Descriptors of an idle worker process of 0.18.0 with asyncio, counted."""

BOUND = msgspec.structs.replace(WORKERS, enforced_by="hypercorn")
QUEUE = msgspec.structs.replace(BACKLOG, default=100)
WORKER_CLASS = Setting(
    "worker_class",
    "name",
    "asyncio",
    "0.1",
    "hypercorn",
    "asyncio and trio let clients wait who find no descriptor; uvloop closes them.",
)
KEEP_ALIVE_S = Setting(
    "keep_alive_s",
    "seconds",
    5,
    "0.1",
    "hypercorn",
    "How long an idle keep-alive connection stays open; longer than the dialler's idle timeout.",
)
GRACE_S = Setting(
    "grace_s",
    "seconds",
    3,
    "0.10",
    "hypercorn",
    "`graceful_timeout`: how long requests may take to finish once a stop is asked for.",
)
READ_TIMEOUT_S = Setting(
    "read_timeout_s",
    "seconds",
    None,
    "0.16",
    "hypercorn",
    "A connection on which nothing comes for so long is closed.",
)
MAX_REQUESTS = Setting(
    "max_requests",
    "requests",
    None,
    "0.15",
    "hypercorn",
    "After so many a worker is replaced.",
)
H2_STREAMS = Setting(
    "h2_max_concurrent_streams",
    "streams",
    100,
    "0.2",
    "hypercorn",
    "Requests that an HTTP/2 client may have open on one connection.",
)
ROWS = (
    BOUND,
    WORKER_CLASS,
    QUEUE,
    NOFILE,
    KEEP_ALIVE_S,
    GRACE_S,
    READ_TIMEOUT_S,
    MAX_REQUESTS,
    H2_STREAMS,
)


def limits(hop: Hop, path: Path, demand: Demand) -> tuple[Limit, ...]:
    """Descriptors and event loop of each process."""
    full = CLOSED if effective(hop, WORKER_CLASS).value == "uvloop" else PAUSES
    found = (descriptors(hop, path, demand, own=OWN, full=full), event_loop(hop))
    return tuple(limit for limit in found if limit is not None)
