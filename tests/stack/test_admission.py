"""Workers that let in so many: what the next requests meet, on real engines with real clients."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from holdfast.cli.admission import worker_places
from holdfast.load.fleet import Fleet
from holdfast.model.front.admission import Admission
from holdfast.model.path import Kind
from holdfast.programs.catalog import path_walls
from holdfast.sizing.admission import ACTS
from holdfast.sizing.layout import EdgeLayout, Program
from holdfast.sizing.path import size
from holdfast.stack.config import EdgeConfig, StackConfig
from holdfast.stack.process import StackProcess
from holdfast.wire import BY_PLACES, ENGINES, Places
from tests.edges import PROGRAMS, demand
from tests.helpers import wait_until
from tests.law3.predictions import Wall
from tests.load.servers import check_accounts, load_plan
from tests.sizing.test_law_1 import behind, host, profile
from tests.stack.driving import (
    Client,
    answered,
    config,
    crowd,
    readable,
    running,
    stopping,
    wait_for_in_flight,
)
from tests.stack.edges import UNBUFFERED
from tests.stack.engines import KIT

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
CAP, ROOM = 3, 4
THREADS = 12
"""Of gthread: those in the app, those that wait, and some to say no."""
LONG_S = 30.0
ENGINES_THAT_WAIT = [name for name in ENGINES if name != "sync"]
EACH = pytest.mark.parametrize("engine", ENGINES_THAT_WAIT)
LISTENING = [name for name, row in ENGINES.items() if row.interface == "ASGI"]


def fields(engine: str, wait_s: float = LONG_S) -> dict[str, Any]:
    """A stack of one worker with so few places, and the kit's app."""
    row = ENGINES[engine]
    cap = {"threads": THREADS, "connections": 100}.get(row.caps, 0)
    places = Places(CAP, ROOM, wait_s, 7, ("/client",))
    return {
        "app": KIT[row.interface],
        "engine": engine,
        "slots": 1,
        "cap": cap,
        "places": places,
    }


def counts(stack: StackProcess) -> tuple[int, int, int]:
    """In flight, waiting and refused, of the one worker."""
    (row,) = stack.gauge.read()
    return row.started - row.finished, row.waiting, row.refused


def in_line(stack: StackProcess) -> int:
    """Requests that wait in any worker."""
    return sum(row.waiting for row in stack.gauge.read())


def wait_for(stack: StackProcess, *expected: int) -> None:
    wait_until(lambda: counts(stack) == expected, what=f"in flight, waiting, refused {expected}")


def check_refused(client: Client) -> None:
    """The client has been told when to ask again, on a connection that stays."""
    status, headers, body = client.read()
    assert (status, headers["retry-after"], len(body) > 0) == (503, "7", True)
    assert headers.get("connection", "keep-alive") == "keep-alive"


@EACH
def test_the_next_requests_wait_and_those_after_them_are_told(engine: str) -> None:
    """Past the cap requests wait in order, past the room they are told 503 and keep in step with
    what they send, health paths pass, and everyone who waited is answered."""
    with running(**fields(engine)) as stack, crowd(stack.port, CAP) as clients:
        wait_for(stack, CAP, 0, 0)
        with crowd(stack.port, ROOM) as waiting, contextlib.ExitStack() as later:
            wait_for(stack, CAP, ROOM, 0)
            (refused,) = later.enter_context(crowd(stack.port, 1))
            refused.finish()
            check_refused(refused)
            refused.ask()
            refused.finish()
            check_refused(refused)
            wait_for(stack, CAP, ROOM, 2)
            refused.get("/client")
            assert refused.status() == 200
            assert answered(clients[:1]) == 1
            wait_for(stack, CAP, ROOM - 1, 2)
            assert answered(clients[1:]) == CAP - 1
            assert answered(waiting) == ROOM
            wait_for(stack, 0, 0, 2)
            refused.get()
            assert refused.status() == 200


@EACH
def test_a_wait_has_an_end(engine: str) -> None:
    """Who has waited its time is told 503, and nobody is lost or started for it."""
    with running(**fields(engine, wait_s=0.2)) as stack, crowd(stack.port, CAP) as clients:
        wait_for(stack, CAP, 0, 0)
        with crowd(stack.port, ROOM) as waiting:
            for client in waiting:
                client.finish()
                check_refused(client)
            wait_for(stack, CAP, 0, ROOM)
            assert answered(clients) == CAP
            assert stack.gauge.read()[0].started == CAP


@EACH
def test_who_leaves_in_line_is_not_served_and_a_stop_serves_the_others(engine: str) -> None:
    """Of those that wait and go away none is in the app; a drain answers what is in the app and
    what waits for a place."""
    with running(**fields(engine)) as stack, crowd(stack.port, CAP) as clients:
        wait_for(stack, CAP, 0, 0)
        with contextlib.ExitStack() as undo:
            leaving = [Client(stack.port) for _ in range(ROOM - 1)]
            for client in leaving:
                undo.callback(client.close)
                client.get()
            wait_until(lambda: counts(stack)[1] == ROOM - 1)
            waiting = undo.enter_context(crowd(stack.port, 1))
            wait_until(lambda: counts(stack)[1] == ROOM)
            for client in leaving:
                client.close()
            if ENGINES[engine].interface != "WSGI":  # which sees it once the turn has come
                wait_for(stack, CAP, 1, ROOM - 1)
            with stopping(stack) as codes:
                for client in (*clients, *waiting):
                    client.finish()
                for client in (*clients, *waiting):
                    assert client.status() == 200
                    client.close()  # gthread waits for those that it told to
        assert codes == [0]


@pytest.mark.parametrize("engine", LISTENING)
def test_whoever_waited_for_a_place_is_still_there(engine: str) -> None:
    """An app that listens for its client to leave hears nothing of one that waited and is there."""
    told = fields(engine) | {"app": "listening:app"}
    with running(**told) as stack, crowd(stack.port, CAP) as clients:
        wait_for(stack, CAP, 0, 0)
        with contextlib.closing(Client(stack.port)) as waiting:
            waiting.get()
            wait_for(stack, CAP, 1, 0)
            assert answered(clients) == CAP
            for _ in range(2):
                status, _, body = waiting.read()
                assert (status, json.loads(body)["left"]) == (200, False)
                waiting.get()
            assert waiting.status() == 200


N, MEAN_S = 10, 50.0
"""Requests that a sized stack is to hold, and how long one would take."""
HEALTH = "/client"
PLACES = [pytest.param(None), *PROGRAMS]
CASES = [
    pytest.param(*place.values, wait_s, engine, marks=place.marks)
    for place in PLACES
    for wait_s, engine in ((20.0, "uvicorn"), (0.5, "uvicorn"), (0.0, "uvicorn"), (20.0, "gevent"))
] + [pytest.param(None, 20.0, "tornado")]
CASES += [
    pytest.param(*place.values, wait_s, "gunicorn-asgi", marks=place.marks)
    for place in PLACES
    for wait_s in (20.0, 0.0)
]


def sized(program: Program | None, engine: str, wait_s: float) -> tuple[StackConfig, Wall]:
    """A stack sized for N, and the limit by which its path keeps N: 2 workers behind an edge."""
    told = Admission(wait=wait_s, retry_after=7.0, health=(HEALTH,))
    edge = EdgeLayout(program, "", front=UNBUFFERED) if program else None
    busy = profile("uvicorn", cpu_s=5.0 if program else 1e-3)
    changed = {"worker": busy, "services": (), "generator": None, "admission": told}
    changed |= {"engine": engine} if ENGINES[engine].caps == BY_PLACES else {}
    layout = msgspec.structs.replace(behind(edge), **changed)
    asked = demand(N, kinds=(Kind("k", 1.0, MEAN_S),))
    path = size(asked, host(), layout)
    wall = next(Wall(*wall) for wall in path_walls(path, asked) if wall[0].resource in ACTS)
    fields: dict[str, Any] = {"places": worker_places(path.hop("workers"), told.health)}
    if edge is not None:
        put = EdgeConfig(path.hop("edge"), front=UNBUFFERED, health=told.health)
        fields |= {"listen": "slots", "edge": put, "slots": path.hop("workers").processes}
        assert fields["slots"] == 2
    row = ENGINES[engine]
    return config(**{"slots": 1, "app": KIT[row.interface], "engine": engine, **fields}), wall


@pytest.mark.parametrize(("program", "wait_s", "engine"), CASES)
def test_the_model_says_what_the_next_request_meets(
    program: Program | None, wait_s: float, engine: str
) -> None:
    """Law 3: as many are held as the path says, as many wait, the next one is told 503 at once,
    those that wait too long are told too, health paths pass, and nobody is lost."""
    asked, wall = sized(program, engine, wait_s)
    best, room = wall.holds.best, wall.limit.full.room
    with StackProcess(asked) as stack:
        stack.start()
        stack.wait_until_ready(60)
        with crowd(stack.port, best) as clients:
            wait_for_in_flight(stack, best)
            with contextlib.ExitStack() as undo:
                more = [Client(stack.port) for _ in range(room + 1)]
                for at, client in enumerate(more):
                    undo.callback(client.close)
                    client.get()
                    if asked.places:  # nginx's processes must not choose at once
                        wait_until(lambda n=at, one=client: in_line(stack) > n or readable([one]))
                wait_until(lambda: readable(more))
                told = readable(more) if wait_s > 1 else more
                assert len(told) == 1 or wait_s <= 1
                for client in told:
                    status, headers, _ = client.read()
                    assert (status, headers["retry-after"]) == (503, "7")
                health = Client(stack.port)
                health.get(HEALTH)
                assert health.status() == 200
                health.close()
                wait_for_in_flight(stack, best)
                assert answered(clients) == best
                waited = [client for client in more if client not in told]
                assert [client.status() for client in waited] == [200] * len(waited)
        wait_for_in_flight(stack, 0)
        started = sum(row.started for row in stack.gauge.read())
        assert started == best + 1 + len(waited)


@pytest.mark.parametrize("program", PLACES)
def test_under_three_times_the_capacity_each_request_is_answered_or_told(
    program: Program | None,
) -> None:
    """Law 7: what the generator counts as answered has started, the rest was refused, and nothing
    failed or is left over; two processes that count apart agree on each request."""
    busy = {"WAIT_MEAN_S": "0.2", "WAIT_SIGMA": "0"}
    asked, _ = sized(program, "uvicorn", 0.5)
    wait_app = {"app": "wait:app", "app_dir": str(ROOT / "examples" / "wait"), "env": busy}
    with StackProcess(msgspec.structs.replace(asked, **wait_app)) as stack:
        stack.start()
        stack.wait_until_ready(60)
        rate = 3 * N / 0.2
        plan = load_plan(stack.port, rate=rate, for_s=1.0, clients=200, path="/wait/{id}", ids=9)
        with Fleet(plan) as fleet:
            fleet.start()
            fleet.allow(2, 0)
            wait_until(lambda: fleet.read().connected >= 2)
            end_s = fleet.begin() + plan.for_s
            wait_until(lambda: fleet.read().at_s > end_s)
            totals = fleet.let_go(30.0)
        wait_for_in_flight(stack, 0)
        rows = stack.gauge.read()
    check_accounts(totals)
    assert (totals.failed, totals.unfinished, totals.unsent) == (0, 0, 0)
    assert totals.refused > 0
    assert totals.answered == sum(row.started for row in rows)
    if asked.places:
        assert totals.refused == sum(row.refused for row in rows)
