"""uvicorn: its settings, and what one worker process holds. No I/O.

Run with uvloop and httptools. `limit_concurrency` is never written by us: it counts idle clients
and answers one fewer than its number. Where `workers` is said they share one listening socket;
under our shim each process has its own.
"""

from __future__ import annotations

import msgspec

from holdfast.model.limit import Act, Full, Limit
from holdfast.model.path import Demand, Hop, Path
from holdfast.model.values import Value
from holdfast.programs.rows import Setting, effective
from holdfast.programs.servers import (
    BACKLOG,
    CLOSED,
    NOFILE,
    PAUSES,
    WORKERS,
    descriptors,
    event_loop,
    of_each,
    taken,
)

RUN = "0.54.0"
"""The version whose limits were run for real."""
OWN, OWN_ASYNCIO = 20, 13
"""Descriptors of an idle worker process of 0.54.0 with uvloop and with asyncio, counted."""
ALONE, ALONE_ASYNCIO = 14, 7
"""The same of a process that serves by itself, without `workers`."""

KEEP_ALIVE_S = Setting(
    "keep_alive_s",
    "seconds",
    5,
    "0.1",
    "uvicorn",
    "How long an idle keep-alive connection stays open; longer than the dialler's idle timeout.",
)
GRACE_S = Setting(
    "grace_s",
    "seconds",
    None,
    "0.22",
    "uvicorn and the supervisor",
    "How long requests in flight may take to finish once a stop is asked for.",
)
LIMIT_CONCURRENCY = Setting(
    "limit_concurrency",
    "connections and tasks",
    None,
    "0.3",
    "uvicorn",
    "Connections, idle ones included, or tasks above which a request is answered 503.",
)
LOOP = Setting(
    "loop",
    "name",
    "auto",
    "0.1",
    "uvicorn",
    "`auto` is uvloop where it is installed; asyncio without a descriptor lets clients wait.",
)
MAX_REQUESTS = Setting(
    "max_requests",
    "requests",
    None,
    "0.4",
    "uvicorn",
    "After so many a process ends itself.",
)
HEALTHCHECK_S = Setting(
    "healthcheck_s",
    "seconds",
    5,
    "0.37",
    "uvicorn",
    "A worker process that does not answer its supervisor for so long is killed.",
)
SHARED = msgspec.structs.replace(
    WORKERS, enforced_by="uvicorn", doc=WORKERS.doc + " Under Holdfast each has its own."
)
ROWS = (
    SHARED,
    BACKLOG,
    NOFILE,
    LIMIT_CONCURRENCY,
    LOOP,
    KEEP_ALIVE_S,
    GRACE_S,
    MAX_REQUESTS,
    HEALTHCHECK_S,
)


def limits(hop: Hop, path: Path, demand: Demand) -> tuple[Limit, ...]:
    """Descriptors and event loop of each process, and `limit_concurrency` where it is set."""
    waits = effective(hop, LOOP).value == "asyncio"
    forked, alone = (OWN_ASYNCIO, ALONE_ASYNCIO) if waits else (OWN, ALONE)
    own = forked if effective(hop, SHARED).number > 1 else alone
    full = PAUSES if waits else CLOSED
    found = [descriptors(hop, path, demand, own=own, full=full), event_loop(hop)]
    cap = effective(hop, LIMIT_CONCURRENCY)
    if cap.value is not None:
        found.append(_concurrency(hop, path, demand, cap))
    return tuple(limit for limit in found if limit is not None)


def _concurrency(hop: Hop, path: Path, demand: Demand, cap: Value) -> Limit:
    _, idle, spread = taken(hop, path, demand, stops=False)
    return of_each(
        hop,
        "limit_concurrency",
        cap.number,
        (cap,),
        "one fewer than its number; idle clients count",
        own=1.0,
        per_idle=idle,
        spread=spread,
        full=Full(Act.REFUSES, told="503"),
    )
