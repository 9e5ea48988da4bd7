"""Small stacks of engines for law 3: our own workers with caps by lot, behind each edge or direct.

Each is a path, from which both the prediction and what is started are made. An engine that caps
nothing has its descriptors as its wall.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial
from pathlib import Path as File
from random import Random
from typing import NamedTuple

import msgspec

from holdfast import wire
from holdfast.cli.admission import worker_places
from holdfast.cli.engines import engine_caps
from holdfast.facts.profiles import read_profiles
from holdfast.model.path import Count, Demand, Hop, Host, Kind, Path
from holdfast.model.values import Value, assumed, derived, observed
from holdfast.sizing.edge import size_edge
from holdfast.sizing.engines import ENGINES
from holdfast.sizing.layout import EdgeLayout, Program
from holdfast.stack.config import EdgeConfig, StackConfig
from holdfast.stack.process import StackProcess
from tests.law3.engines_running import EngineRun
from tests.law3.stacks import LASTS_S, values, version

APPS = {"ASGI": "held_app:asgi", "WSGI": "held_app:wsgi", "Tornado": "held_tornado:app"}
SPARE_FILES = 15
"""What the rows of `facts/profiles.json` add to the descriptors of an idle worker."""
BACKLOG = 511
PLENTY = 400
"""Connections and descriptors where they are not what is narrow."""
FEWEST = {"keepalive": 1, "server_pool_max_conn": 0}
LONG_S = 2 * LASTS_S
"""How long requests wait for a place, where they do: longer than any of them is held."""
IDLE_S = 1
"""Short, since a place that an idle connection takes of a cap is free only then."""
EDGES: tuple[Program, ...] = ("nginx", "haproxy")


class EngineStack(NamedTuple):
    """What is run: the engine's workers, and the edge before them, as the path says."""

    wall: str
    engine: str
    path: Path
    streams: float = 1.0
    idle: int = 0
    stopped: str = ""

    def demand(self, in_flight: int) -> Demand:
        """So many requests, that come one by one."""
        return demand(in_flight)

    def settings(self) -> str:
        """What was drawn and set, in one line, for whoever reads of a failure."""
        workers = self.path.hop("workers")
        said = " ".join(f"{value.setting}={value.value}" for value in workers.values)
        edge = next((hop.program for hop in self.path.hops if hop.name == "edge"), "no edge")
        return f"{self.engine} x {workers.processes} behind {edge}: {said}"

    def started(self) -> AbstractContextManager[EngineRun]:
        """The stack as it runs."""
        return _running(self)


class Kept:
    """A stack that runs on for several pushes, one after the other."""

    def __init__(self, stack: EngineStack, process: StackProcess, folder: File) -> None:
        self.stack, self._process, self._folder = stack, process, folder
        self.streams, self.idle, self.stopped = stack.streams, stack.idle, stack.stopped

    def settings(self) -> str:
        return self.stack.settings()

    @contextmanager
    def started(self) -> Iterator[EngineRun]:
        """The same stack, which holds nothing."""
        run = EngineRun(self._process, self._folder)
        run.wait_until_empty()
        yield run
        run.wait_until_empty()


def demand(in_flight: int) -> Demand:
    """Requests that are held until they are let go."""
    return Demand(in_flight, (Kind("held", 1.0, LASTS_S),), burst=0)


def _host() -> Host:
    limits = (observed("nofile_hard", 20_000, "typed in"), observed("somaxconn", 4_096, "typed in"))
    return Host("here", Count(), 1.0, 2**34, limits)


def _workers(engine: str, processes: int, cap: int) -> Hop:
    """Workers that hold `cap` requests each, by the engine's cap or by descriptors."""
    row = ENGINES[engine]
    own = int(read_profiles()[engine]["own_descriptors"]) - SPARE_FILES
    connections = row.kept(cap) + cap
    told = row.values(cap, connections, engine)
    nofile = PLENTY if wire.ENGINES[engine].caps else own + cap
    more = values(own_descriptors=own, nofile=nofile, backlog=BACKLOG)
    workers = derived("workers", processes, "a socket each")
    return Hop("workers", row.program, "", "here", processes, (*told, *more, workers))


def _places(cap: int, wait_s: float) -> tuple[Value, ...]:
    """What tells a worker to let in so many, with room for all others where they wait."""
    room = PLENTY if wait_s else 0
    return values(places=cap, places_room=room, places_wait_s=wait_s, retry_after_s=1)


def _edge(program: Program, processes: int) -> Hop:
    """An edge with more room than the workers.

    It keeps next to no idle connections; nginx must keep one, which its one process takes for the
    next request to that worker, so that nothing is lost by it and the prediction leaves it out.
    """
    burst = msgspec.structs.replace(demand(PLENTY), burst=PLENTY)
    layout = EdgeLayout(program, version(program))
    hop = size_edge(burst, _host(), layout, processes)
    told = [value for value in hop.values if value.setting not in FEWEST]
    pools = [value for value in _fewest(hop) if not value.value]
    idle = assumed("upstream_keepalive_timeout_s", IDLE_S, "no longer than a test takes")
    links = tuple(msgspec.structs.replace(link, dialler_idle_s=idle) for link in hop.links)
    return msgspec.structs.replace(hop, values=(*told, *pools), links=links)


def _fewest(hop: Hop) -> tuple[Value, ...]:
    """The settings of idle connections to workers, as low as its program takes them."""
    if hop.program == "nginx":
        return values(keepalive=FEWEST["keepalive"])
    return values(server_pool_max_conn=FEWEST["server_pool_max_conn"])


def _drawn(engine: str, place: str, draw: Random) -> EngineStack:
    """One stack: its cap by lot, and one worker or two."""
    processes = draw.randint(1, 2) if engine != "sync" or place != "direct" else 1
    cap = draw.randint(15, 40)
    workers = _workers(engine, processes, cap)
    if ENGINES[engine].by_places:
        places = _places(cap, draw.choice((0.0, LONG_S)))
        workers = msgspec.structs.replace(workers, values=(*workers.values, *places))
    edge = (_edge(place, processes),) if place != "direct" else ()  # type: ignore[arg-type]
    path = Path((_host(),), (Hop("kernel", "kernel", "", "here", 1), *edge, workers))
    row = ENGINES[engine]
    usual = "places" if row.by_places else "descriptors"
    wall = "workers" if row.most == 1 else row.serves or row.connections or usual
    return EngineStack(wall, engine, path)


ENGINE_STACKS: dict[str, Callable[[Random], EngineStack]] = {
    f"{engine}_{place}": partial(_drawn, engine, place)
    for engine in ENGINES
    for place in ("direct", *EDGES)
}


def drawn_engine(name: str, seed: int) -> EngineStack:
    """The stack of that name, its settings drawn by lot."""
    return ENGINE_STACKS[name](Random(f"{seed} {name}"))


@contextmanager
def kept(stack: EngineStack) -> Iterator[Kept]:
    """Start a stack once, for several pushes."""
    with _process(stack) as (process, folder):
        yield Kept(stack, process, folder)


@contextmanager
def _running(stack: EngineStack) -> Iterator[EngineRun]:
    with _process(stack) as (process, folder):
        yield EngineRun(process, folder)


@contextmanager
def _process(stack: EngineStack) -> Iterator[tuple[StackProcess, File]]:
    workers = stack.path.hop("workers")
    edges = [hop for hop in stack.path.hops if hop.name == "edge"]
    nofile = workers.get("nofile")
    assert nofile is not None
    with ExitStack() as own:
        folder = File(tempfile.mkdtemp(prefix="law3-"))
        own.callback(shutil.rmtree, folder)
        config = StackConfig(
            app=APPS[wire.ENGINES[stack.engine].interface],
            app_dir=str(File(__file__).parent.parent / "programs"),
            slots=workers.processes,
            backlog=BACKLOG,
            listen="slots" if edges else "tcp",
            edge=_configured(edges[0]) if edges else None,
            dialler_idle_s=IDLE_S,
            env={"HELD": str(folder)},
            **engine_caps(stack.engine, workers),
            places=worker_places(workers, ()),
        )
        process = own.enter_context(StackProcess(config))
        process.start()
        process.wait_until_ready(60)
        run = EngineRun(process, folder)
        run.limit_descriptors(int(nofile.number))
        yield process, folder


def _configured(hop: Hop) -> EdgeConfig:
    kept = [value for value in hop.values if value.setting not in FEWEST]
    return EdgeConfig(msgspec.structs.replace(hop, values=(*kept, *_fewest(hop))))
