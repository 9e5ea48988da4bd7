"""Engines in the sizing: each has its own program's limits, holds what is asked, or is refused."""

from __future__ import annotations

import msgspec
import pytest

from holdfast import wire
from holdfast.model.errors import Impossible
from holdfast.model.front.admission import Admission
from holdfast.model.limit import Act
from holdfast.model.path import Demand, Kind
from holdfast.model.values import Source, Value
from holdfast.programs.catalog import LIMITS, path_walls
from holdfast.programs.kernel import memory_parts
from holdfast.sizing.admission import ACTS
from holdfast.sizing.engines import ENGINES, MOST_THREADS, USUAL_WAIT_S
from holdfast.sizing.layout import EdgeLayout, Layout
from holdfast.sizing.path import all_limits, needed, size
from tests.sizing.test_law_1 import EDGES, LAYOUT, behind, host

HOLDING = [name for name in ENGINES if name != "sync"]


def demand(in_flight: int) -> Demand:
    return Demand(in_flight, (Kind("k", 1.0, 20.0),), idle=100, burst=in_flight // 20)


def test_every_engine_that_runs_can_be_sized() -> None:
    """The worker's engines and the sizing's are the same, of programs whose limits are known."""
    assert set(ENGINES) == set(wire.ENGINES)
    assert {engine.program for engine in ENGINES.values()} <= set(LIMITS)


def test_what_is_capped_is_what_runs_capped() -> None:
    """An engine is given a cap by the sizing where the worker's engine has one."""
    caps = {
        name
        for name, engine in ENGINES.items()
        if engine.connections or engine.most or engine.by_places
    }
    assert caps == {name for name, row in wire.ENGINES.items() if row.caps}


@pytest.mark.parametrize("engine", HOLDING)
@pytest.mark.parametrize("edge", EDGES)
@pytest.mark.parametrize("in_flight", [300, 20_000])
def test_an_engine_holds_what_it_was_sized_for(
    engine: str, edge: EdgeLayout | None, in_flight: int
) -> None:
    """Every wall is sure of N; with 5 % less of the narrowest, or one worker fewer, it is not."""
    layout = msgspec.structs.replace(behind(edge), engine=engine)
    asked = demand(in_flight)
    path = size(asked, host(), layout)
    walls = path_walls(path, asked)
    assert min(holds.sure for _, holds in walls) >= in_flight
    workers = path.hop("workers")
    assert workers.program == ENGINES[engine].program
    narrowest = walls[0][0]
    assert needed(narrowest, asked) > 0.95 * narrowest.capacity


@pytest.mark.parametrize("edge", EDGES)
def test_an_engine_that_lets_in_whoever_comes_is_kept_by_its_workers(
    edge: EdgeLayout | None,
) -> None:
    """Nobody asked for admission: its workers have places for N whatever stands before them, and
    descriptors for those that wait or are told; where it was asked for, it is as asked."""
    asked, layout = demand(2_000), msgspec.structs.replace(behind(edge), engine="gunicorn-asgi")
    path = size(asked, host(), layout)
    limit, holds = next(wall for wall in path_walls(path, asked) if wall[0].resource in ACTS)
    assert (limit.hop, limit.resource) == ("workers", "places")
    assert holds.sure >= 2_000
    assert limit.full.room >= asked.rate * USUAL_WAIT_S
    workers = path.hop("workers")
    files = next(limit for limit, _ in path_walls(path, asked) if limit.resource == "descriptors")
    assert files.capacity > limit.capacity + limit.full.room / workers.processes
    at_once = msgspec.structs.replace(layout, admission=Admission(wait=0.0))
    (told,) = (
        limit.full
        for limit, _ in path_walls(size(asked, host(), at_once), asked)
        if limit.resource == "places"
    )
    assert (told.act, told.room) == (Act.REFUSES, 0)


def test_gthread_has_a_thread_a_request_and_room_to_keep_connections() -> None:
    """Its workers are as many as its threads ask for, and descriptors are not what is narrow."""
    path = size(demand(3_000), host(), msgspec.structs.replace(LAYOUT, engine="gthread"))
    workers = path.hop("workers")
    values = {value.setting: value.value for value in workers.values}
    assert 3_000 / MOST_THREADS < workers.processes < 4 * 3_000 / MOST_THREADS
    assert 0 < values["threads"] <= MOST_THREADS
    assert values["worker_connections"] >= 2 * values["threads"]
    assert path_walls(path, demand(3_000))[0][0].resource == "threads"


def test_threads_count_as_processes() -> None:
    """The control group's limit of processes counts every thread."""
    layout = msgspec.structs.replace(LAYOUT, engine="gthread")
    with pytest.raises(Impossible) as caught:
        size(demand(3_000), host(pids_max=2_000), layout)
    assert caught.value.resource == "processes"
    assert 0 < caught.value.fits < 2_000


@pytest.mark.parametrize(("edge", "sure"), [(None, 1), *((edge, 0) for edge in EDGES if edge)])
def test_sync_is_refused_with_what_it_holds(edge: EdgeLayout | None, sure: int) -> None:
    """A request in each worker holds no 20,000: said with what is sure, and with what as many
    workers as the host has processes for answer at best."""
    layout = msgspec.structs.replace(behind(edge), engine="sync")
    with pytest.raises(Impossible) as caught:
        size(demand(20_000), host(pids_max=300), layout)
    words = caught.value.fault.replace(",", "").split()
    best = int(words[words.index("of") - 1])
    assert 200 < best < 300
    assert f"they answer {best} at once at best" in caught.value.fault
    assert "use an engine that holds more" in (caught.value.hint or "")
    assert caught.value.fits == sure


def test_what_the_kernel_keeps_for_threads_is_planned() -> None:
    """A thread a request takes memory of the kernel's, which no worker's own memory shows."""
    thread = Value("thread_bytes", 28_000, Source.MEASURED, "typed in")
    plain = msgspec.structs.replace(LAYOUT, engine="gthread")
    threaded = msgspec.structs.replace(plain, thread_bytes=thread)

    def request_bytes(layout: Layout) -> float:
        path = size(demand(3_000), host(), layout)
        return memory_parts(path.hop("workers"), path, demand(3_000))[1]

    assert request_bytes(threaded) - request_bytes(plain) == pytest.approx(28_000)
    gevent = msgspec.structs.replace(threaded, engine="gevent")
    assert request_bytes(gevent) == request_bytes(
        msgspec.structs.replace(gevent, thread_bytes=None)
    )


def test_limits_of_sized_workers_are_not_of_a_shared_socket() -> None:
    """Workers that we start have a socket each, whatever their program does by itself."""
    layout = msgspec.structs.replace(LAYOUT, engine="gevent")
    path = size(demand(40_000), host(), layout)
    workers = path.hop("workers")
    assert workers.processes > 1
    queues = [limit for limit in all_limits(path, demand(40_000)) if limit.hop == "workers"]
    assert {limit.scopes for limit in queues} == {workers.processes}
