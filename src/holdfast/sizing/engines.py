"""What sizing knows of each engine: whose rows its limits are, and what it has to be capped at.

Must not know how an engine is run; its name is the one that the stack is told. No I/O.
"""

from __future__ import annotations

from typing import Final

import msgspec

from holdfast.model.front.admission import Admission
from holdfast.model.values import Value, derived

MOST_THREADS: Final = 256
"""Threads of one gthread worker, at most: nobody measured more, and all of them wait for one
interpreter. Above it there are more workers."""
USUAL_WAIT_S: Final = 1.0
"""What requests beyond N wait for an engine that has to be kept from them, where nobody said."""


class Engine(msgspec.Struct, frozen=True):
    """`program` is whose rows it is of, `told` the settings that make it what it is there.

    It has at most as many connections as `connections` names, and serves `most` requests at once in
    one process, as many as `serves` names; an empty name caps nothing. With `by_places` it lets in
    whoever comes, so that its worker's places keep N: they are always there.
    """

    program: str
    told: tuple[tuple[str, str], ...] = ()
    connections: str = ""
    serves: str = ""
    most: int = 0
    by_places: bool = False

    def kept(self, each: int) -> int:
        """Connections beside `each` requests on one worker that it must have room for.

        A gthread worker has its threads busy, and keeps as many connections as it may have beside
        them; with no room there it closes each one after its answer.
        """
        return each if self.serves else 0

    def values(self, each: int, connections: int, name: str) -> tuple[Value, ...]:
        """Its settings where a worker is to hold `each` requests on `connections`."""
        why = f"the engine `{name}`"
        found = [derived(setting, said, why) for setting, said in self.told]
        if self.serves:
            served = min(each, self.most)
            found.append(derived(self.serves, served, f"{each:,} requests on the fullest"))
        if self.connections:
            what = f"what a worker's descriptors leave for connections: {connections:,}"
            found.append(derived(self.connections, connections, what))
        return tuple(found)


_ASYNCIO = (("worker_class", "uvloop"),)
_UVICORN = (("worker_class", "uvicorn_worker.UvicornWorker"),)
ENGINES: Final = {
    "uvicorn": Engine("uvicorn"),
    "hypercorn": Engine("hypercorn", _ASYNCIO),
    "granian": Engine("granian", (("interface", "asginl"),), connections="backpressure"),
    "gunicorn-asgi": Engine("gunicorn", (("worker_class", "asgi"),), by_places=True),
    "uvicorn-worker": Engine("gunicorn", _UVICORN),
    "gevent": Engine("gunicorn", (("worker_class", "gevent"),), connections="worker_connections"),
    "gthread": Engine(
        "gunicorn",
        (("worker_class", "gthread"),),
        connections="worker_connections",
        serves="threads",
        most=MOST_THREADS,
    ),
    "sync": Engine("gunicorn", (("worker_class", "sync"),), most=1),
    "tornado": Engine("tornado"),
}


def beyond(engine: str, asked: Admission) -> Admission:
    """What requests beyond N meet: as asked; they wait where only places keep the engine to N."""
    if asked.wait is not None or not ENGINES[engine].by_places:
        return asked
    return msgspec.structs.replace(asked, wait=USUAL_WAIT_S)
