"""gunicorn: its settings, which class of worker enforces which, and what one process holds. No I/O.

All workers accept from one listening socket. 27.0.1 was run (`tests/programs`); the classes' own
words are in gunicorn/workers/.
"""

from __future__ import annotations

import msgspec

from holdfast.model.limit import Act, Full, Limit
from holdfast.model.path import Demand, Hop, Path
from holdfast.model.values import Source
from holdfast.programs.rows import Setting, effective, parts
from holdfast.programs.servers import (
    BACKLOG,
    CLOSED,
    NOFILE,
    PAUSES,
    TRIES,
    WORKERS,
    descriptors,
    event_loop,
    of_each,
    taken,
    unenforced,
)

RUN = "27.0.1"
"""The version whose limits were run for real."""

WORKER_CLASS = Setting(
    "worker_class",
    "name",
    "sync",
    "0.1",
    "gunicorn",
    "What a worker is; with `threads` above 1, sync is gthread. eventlet is gone since 26.0.",
)
THREADS = Setting(
    "threads",
    "requests",
    1,
    "19.0",
    "gthread workers",
    "Requests that one worker serves at once; what is more waits in the worker.",
)
CONNECTIONS = Setting(
    "worker_connections",
    "connections",
    1000,
    "0.11",
    "gevent and gthread workers",
    "Connections of one worker, idle ones too, for each `bind` under gevent; the rest waits.",
)
BOUND = msgspec.structs.replace(WORKERS, enforced_by="gunicorn")
QUEUE = msgspec.structs.replace(
    BACKLOG, doc=BACKLOG.doc + " The asgi worker listens again, with 100."
)
REUSE_PORT = Setting(
    "reuse_port",
    "yes or no",
    False,
    "19.8",
    "kernel (SO_REUSEPORT)",
    "A socket for each worker, over which the kernel hashes clients.",
)
LISTENERS = Setting(
    "listeners", "sockets", 1, "", "gunicorn", "Listening sockets (`bind`), a descriptor each."
)
KEEP_ALIVE_S = Setting(
    "keep_alive_s",
    "seconds",
    2,
    "0.11",
    "all workers but sync, which closes after each answer",
    "How long an idle keep-alive connection stays open; longer than the dialler's idle timeout.",
)
TIMEOUT_S = Setting(
    "timeout_s",
    "seconds",
    30,
    "0.1",
    "gunicorn",
    "A worker silent for so long is killed: with sync a request's time, else that of its loop.",
)
GRACE_S = Setting(
    "grace_s",
    "seconds",
    30,
    "0.15",
    "gunicorn",
    "`graceful_timeout`: how long requests may take to finish once a stop is asked for.",
)
MAX_REQUESTS = Setting(
    "max_requests",
    "requests",
    0,
    "0.11",
    "gunicorn",
    "After so many a worker is replaced; 0 is never.",
)
MAX_REQUESTS_JITTER = Setting(
    "max_requests_jitter",
    "requests",
    0,
    "19.2",
    "gunicorn",
    "Up to so many more, by lot, so that not all workers are replaced at once.",
)
ROWS = (
    BOUND,
    WORKER_CLASS,
    THREADS,
    CONNECTIONS,
    QUEUE,
    REUSE_PORT,
    LISTENERS,
    NOFILE,
    KEEP_ALIVE_S,
    TIMEOUT_S,
    GRACE_S,
    MAX_REQUESTS,
    MAX_REQUESTS_JITTER,
)


class Worker(msgspec.Struct, frozen=True):
    """A class of workers: what it enforces, what it does without descriptors, how many are its own.

    `own` are those of an idle process with one `bind`, counted with 27.0.1; `backlog` is what it
    listens with whatever was asked for; `gone` the version that has it no more.
    """

    enforces: frozenset[str]
    own: int
    out: Full
    backlog: int | None = None
    gone: str = ""


DIES = Full(Act.KILLED, told="the worker's loop ends (EMFILE): killed after `timeout`")
CLASSES = {
    "sync": Worker(frozenset(), 7, CLOSED),
    "gthread": Worker(frozenset({"threads", "worker_connections"}), 10, DIES),
    "gevent": Worker(frozenset({"worker_connections"}), 9, PAUSES),
    "eventlet": Worker(frozenset({"worker_connections"}), 9, PAUSES, gone="26.0"),
    "tornado": Worker(frozenset(), 10, TRIES),
    "uvicorn": Worker(frozenset(), 17, CLOSED),
    "asgi": Worker(frozenset(), 17, CLOSED, backlog=100),
}
"""By what `worker_class` comes to; a class of somebody else's is none of these."""
_WRITTEN = {
    "gevent_wsgi": "gevent",
    "gevent_pywsgi": "gevent",
    "ggevent": "gevent",
    "geventlet": "eventlet",
    "gtornado": "tornado",
    "gasgi": "asgi",
}


def worker_class(hop: Hop) -> str:
    """What the hop's workers are: a name of `CLASSES`, or what is written where it is none.

    A module's name says it, as in `uvicorn_worker.UvicornWorker` or `egg:gunicorn#gevent`.
    """
    said = str(effective(hop, WORKER_CLASS).value)
    if "uvicorn" in said.lower():
        return "uvicorn"
    last = said.removeprefix("egg:gunicorn#")
    if last.startswith("gunicorn.workers."):
        last = last.split(".")[2]
    name = _WRITTEN.get(last, last)
    threads = effective(hop, THREADS).value
    threaded = isinstance(threads, int | float) and threads > 1
    return "gthread" if name == "sync" and threaded else name


def is_gone(hop: Hop) -> bool:
    """Whether the hop's version has its class of workers no more."""
    known = CLASSES.get(worker_class(hop))
    return bool(known and known.gone and parts(hop.version or RUN) >= parts(known.gone))


def limits(hop: Hop, path: Path, demand: Demand) -> tuple[Limit, ...]:
    """What the class of workers enforces, what it does not, descriptors and event loop."""
    name = worker_class(hop)
    known = CLASSES.get(name)
    found = [event_loop(hop)]
    if known is None:
        found += [descriptors(hop, path, demand)]
    else:
        own = known.own + effective(hop, LISTENERS).number - 1
        files = descriptors(hop, path, demand, own=own, full=known.out)
        if name != "sync" or files.capacity < files.own + 1:  # one connection, whoever asks
            found += [files]
        found += _ignored(hop, name, known)
        found += [make(hop, path, demand) for make in _MAKERS.get(name, ())]
    return tuple(limit for limit in found if limit is not None)


def _one(hop: Hop, path: Path, demand: Demand) -> Limit:
    """A sync worker serves one request, and accepts the next one after it."""
    spread = taken(hop, path, demand, stops=True)[2]
    workers = effective(hop, BOUND)
    formula = f"1 in each of {hop.processes} sync workers"
    inputs = (workers, effective(hop, WORKER_CLASS))
    return of_each(hop, "workers", 1, inputs, formula, spread=spread)


def _threads(hop: Hop, path: Path, demand: Demand) -> Limit:
    """Threads serve; a worker accepts past them, even while another one has a thread to spare."""
    threads, room = effective(hop, THREADS), effective(hop, CONNECTIONS)
    waits = Full(
        Act.QUEUES, room=int(max(0, room.number - threads.number)), told="waits for a thread"
    )
    spread = taken(hop, path, demand, stops=False)[2]
    formula = f"{threads.number:,.0f} threads in each of {hop.processes} workers"
    return of_each(hop, "threads", threads.number, (threads,), formula, spread=spread, full=waits)


def _connections(hop: Hop, path: Path, demand: Demand) -> Limit:
    """A worker with so many connections accepts no more; idle ones count."""
    most = effective(hop, CONNECTIONS)
    each, idle, spread = taken(hop, path, demand, stops=True, http2=False)
    formula = f"{most.number:,.0f} connections in each of {hop.processes} workers, idle ones too"
    return of_each(
        hop,
        "worker_connections",
        most.number,
        (most,),
        formula,
        spread=spread,
        per_request=each,
        per_idle=idle,
    )


_MAKERS = {
    "sync": (_one,),
    "gthread": (_threads, _connections),
    "gevent": (_connections,),
    "eventlet": (_connections,),
}


def _ignored(hop: Hop, name: str, known: Worker) -> list[Limit]:
    """Caps that are written and that this class of workers does not look at."""
    rows = (row for row in (CONNECTIONS, THREADS) if row.name not in known.enforces)
    found = ((row, hop.get(row.name)) for row in rows)
    return [
        unenforced(hop, value, f"{name} workers do not look at it")
        for row, value in found
        if value is not None and value.source is not Source.DEFAULT and value.value not in (None, 1)
    ]


def backlog(hop: Hop) -> int | None:
    """What the workers listen with, whatever `backlog` says; None where they do as it says."""
    known = CLASSES.get(worker_class(hop))
    return None if known is None else known.backlog
