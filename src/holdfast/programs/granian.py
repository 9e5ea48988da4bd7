"""granian: its settings, and what one worker process holds before it stops accepting. No I/O.

Over TCP each worker has its own socket (SO_REUSEPORT, since 2.8), over a unix socket all share it.
"""

from __future__ import annotations

import msgspec

from holdfast.model.limit import Act, Full, Limit
from holdfast.model.path import Demand, Hop, Path
from holdfast.model.values import Value, derived
from holdfast.programs.rows import Setting, effective
from holdfast.programs.servers import (
    BACKLOG,
    NOFILE,
    TRIES,
    WORKERS,
    descriptors,
    event_loop,
    of_each,
    taken,
)

RUN = "2.8.7"
"""The version whose limits were run for real."""
OWN, OWN_WSGI = 26, 24
"""Descriptors of the only worker process of 2.8.7 while it is idle, counted."""
A_WORKER = 4
"""What each further one adds to all, counted: 3 for each of them, and 2 for each before it."""
LEAST_BACKLOG = 128
"""granian takes no smaller one (granian/server/common.py)."""

BOUND = msgspec.structs.replace(
    WORKERS, enforced_by="granian", doc="Worker processes, each with a socket of its own over TCP."
)
QUEUE = msgspec.structs.replace(BACKLOG, default=1024, doc=BACKLOG.doc + " At least 128.")
INTERFACE = Setting(
    "interface", "name", "rsgi", "0.1", "granian", "What the app speaks: asgi, asginl, rsgi, wsgi."
)
BACKPRESSURE = Setting(
    "backpressure",
    "connections",
    None,
    "0.5",
    "granian",
    "Connections of one worker, idle ones too; the rest waits. Unset, `backlog` / `workers`.",
)
BLOCKING_THREADS = Setting(
    "blocking_threads",
    "requests",
    None,
    "0.3",
    "granian, for wsgi",
    "Requests that one worker serves at once under wsgi. Unset, `backpressure` / 2.",
)
UDS = Setting(
    "uds", "path", None, "2.0", "granian", "The unix socket that all workers share, instead of TCP."
)
KEEP_ALIVE_S = Setting(
    "keep_alive_s",
    "seconds",
    30,
    "2.0",
    "granian",
    "`http1-header-read-timeout`: an idle keep-alive connection stays open for so long, too.",
)
GRACE_S = Setting(
    "grace_s",
    "seconds",
    None,
    "2.1",
    "granian",
    "`workers-kill-timeout`: how long a worker may take to stop; unset, for ever.",
)
ROWS = (
    BOUND,
    INTERFACE,
    BACKPRESSURE,
    BLOCKING_THREADS,
    QUEUE,
    UDS,
    NOFILE,
    KEEP_ALIVE_S,
    GRACE_S,
)


def limits(hop: Hop, path: Path, demand: Demand) -> tuple[Limit, ...]:
    """`backpressure`, the threads that serve wsgi, descriptors and event loop of each process."""
    is_wsgi = effective(hop, INTERFACE).value == "wsgi"
    own = (OWN_WSGI if is_wsgi else OWN) + A_WORKER * (hop.processes - 1)
    found = [descriptors(hop, path, demand, own=own, full=TRIES), event_loop(hop)]
    found.append(_backpressure(hop, path, demand))
    if is_wsgi:
        found.append(_threads(hop, path, demand))
    return tuple(limit for limit in found if limit is not None)


def backpressure(hop: Hop) -> Value:
    """The connections that a worker accepts, as written or as made from `backlog`."""
    said = effective(hop, BACKPRESSURE)
    if said.value is not None:
        return said
    queue = effective(hop, QUEUE)
    most = max(1, int(max(LEAST_BACKLOG, queue.number)) // hop.processes)
    return derived("backpressure", most, f"backlog {queue.number:,.0f} / {hop.processes} workers")


def _backpressure(hop: Hop, path: Path, demand: Demand) -> Limit:
    most = backpressure(hop)
    each, idle, spread = taken(hop, path, demand, stops=True)
    formula = f"{most.number:,.0f} connections in each of {hop.processes} workers, idle ones too"
    return of_each(
        hop,
        "backpressure",
        most.number,
        (most,),
        formula,
        spread=spread,
        per_request=each,
        per_idle=idle,
    )


def _threads(hop: Hop, path: Path, demand: Demand) -> Limit:
    """Threads serve wsgi; what is accepted past them waits in the worker.

    They are made as requests come. One that has just taken a request counts as idle for a moment,
    so one of several that come at once may wait until the next one comes, with threads to spare.
    """
    most, threads = backpressure(hop), effective(hop, BLOCKING_THREADS)
    if threads.value is None:
        half = max(1, int(most.number) // 2)
        threads = derived("blocking_threads", half, f"backpressure {most.number:,.0f} / 2")
    waits = Full(
        Act.QUEUES, room=int(max(0, most.number - threads.number)), told="waits for a thread"
    )
    spread = taken(hop, path, demand, stops=False)[2]
    formula = f"{threads.number:,.0f} threads in each of {hop.processes} workers"
    inputs = (threads, most) if threads.place else (most,)
    return of_each(
        hop, "blocking_threads", threads.number, inputs, formula, spread=spread, full=waits
    )
