"""Websockets: let through where asked for, counted, and asked back when their worker leaves."""

from __future__ import annotations

import contextlib

import pytest

from holdfast.model.front.body import Body
from holdfast.model.front.front import Front
from holdfast.model.front.upgrades import Streams, Websockets
from holdfast.sizing.layout import Program
from holdfast.stack.process import StackProcess
from holdfast.wire import ENGINES, Places
from tests.edges import PROGRAMS
from tests.helpers import wait_until
from tests.stack.driving import Client, Log, running, stopping, wait_for_in_flight
from tests.stack.edges import behind
from tests.stack.engines import capped
from tests.stack.test_engines_refuse import refused
from tests.stack.websockets import WHOLE, Websocket, lasting

pytestmark = pytest.mark.slow

APPS = {"ASGI": "lasting_asgi:app", "Tornado": "lasting_tornado:app"}
SPEAKING = [name for name, row in ENGINES.items() if row.interface in APPS]
COUNT = 5
BOTH = Front(
    body=Body(buffered=False),
    websockets=Websockets(paths=("/ws/",), leave=0.3),
    streams=Streams(paths=("/events",), leave=0.3),
)


def upgraded(stack: StackProcess) -> int:
    """Websockets that the gauge counts."""
    return sum(row.upgraded for row in stack.gauge.read())


def check_leaving(stack: StackProcess, count: int) -> None:
    """Replace the worker of slot 0, which has all of so many websockets and streams."""
    with lasting(stack.port, count) as (sockets, streams):
        wait_for_in_flight(stack, 2 * count)
        assert upgraded(stack) == count
        log = Log(stack)
        stack.replace(0)
        log.wait_for("draining")
        for one in sockets:
            assert one.read() == 1012
        for stream in streams:
            stream.read_until(WHOLE)
            assert stream.came.endswith(b"\n\n\r\n" + WHOLE)  # between two events
        with contextlib.closing(Websocket(stack.port)) as later:
            later.send("again")
            assert later.read() == "again"
            (told,) = log.wait_for("told")
            assert told.text == f"to come back: {count} websockets, {count} event streams"
            (stopped,) = log.wait_for("stopped")
            assert (stopped.generation, stopped.status) == (1, 0)
            assert log.of("cut") == log.of("died") == []
            assert upgraded(stack) == stack.gauge.in_flight() == 1
    wait_for_in_flight(stack, 0)


@pytest.mark.parametrize("engine", SPEAKING)
def test_a_worker_that_is_replaced_asks_them_to_come_back(engine: str) -> None:
    """Each websocket is closed with 1012, each stream ends after an event, and nothing is cut."""
    app = APPS[ENGINES[engine].interface]
    with running(app, slots=1, **capped(engine, 100)) as stack:
        check_leaving(stack, COUNT)


@pytest.mark.parametrize("program", PROGRAMS)
def test_behind_an_edge_they_come_back_too(program: Program) -> None:
    """The same through a real edge, while ordinary requests lose nothing."""
    told = {**behind(program, front=BOTH, keep_alive_s=2.0), "slots": 1, "dialler_idle_s": 1.0}
    with running(APPS["ASGI"], **told) as stack:
        held = Client(stack.port)
        with contextlib.closing(held.socket):
            held.ask()
            check_leaving_beside(stack, held)


def check_leaving_beside(stack: StackProcess, held: Client) -> None:
    """What was asked before is answered after the websockets have gone."""
    wait_for_in_flight(stack, 1)
    with lasting(stack.port, COUNT) as (sockets, streams):
        log = Log(stack)
        stack.replace(0)
        for one in sockets:
            assert one.read() == 1012
        for stream in streams:
            stream.read_until(WHOLE)
        held.finish()
        assert held.status() == 200
        assert log.wait_for("stopped")[0].status == 0
        assert log.of("cut") == []


@pytest.mark.parametrize("program", PROGRAMS)
def test_an_upgrade_passes_only_where_it_is_asked_for(program: Program) -> None:
    """Below its path a websocket echoes; elsewhere the app has a plain GET. It ends in silence."""
    front = Front(websockets=Websockets(paths=("/ws/",), idle=1.0))
    with running(APPS["ASGI"], **{**behind(program, front=front), "slots": 1}) as stack:
        for path, status in (("/", 200), ("/ws", 200), ("/x/ws/", 200), ("/ws/a", 101)):
            with contextlib.closing(Websocket(stack.port, path)) as one:
                assert (path, one.status) == (path, status)
        with contextlib.closing(Websocket(stack.port)) as one:
            one.send("a" * 100_000)
            assert one.read() == "a" * 100_000
            assert one.read() == 1006
        wait_for_in_flight(stack, 0)


def test_an_engine_that_speaks_none_is_refused() -> None:
    """WSGI has no websockets: that is said before anything starts."""
    front = Front(websockets=Websockets(paths=("/ws/",)))
    error = refused(app="lasting_wsgi:app", engine="gevent", **behind("nginx", front=front))
    assert error.fault == "`[edge.websockets]` asks for what the engine `gevent` cannot"
    assert "WSGI" in (error.hint or "")


@pytest.mark.parametrize("engine", SPEAKING)
def test_a_websocket_takes_a_place_of_the_cap(engine: str) -> None:
    """As long as it is open, so the next one waits, and is told 503 where it may not."""
    places = Places(cap=2, room=1, wait_s=30.0, retry_after_s=7)
    app = APPS[ENGINES[engine].interface]
    with running(app, slots=1, engine=engine, places=places) as stack:
        with contextlib.ExitStack() as undo:
            open_ones = [Websocket(stack.port), Websocket(stack.port)]
            for one in open_ones:
                undo.callback(one.close)
            waiting = Client(stack.port)
            undo.callback(waiting.close)
            waiting.ask()
            waiting.finish()
            wait_until(lambda: sum(row.waiting for row in stack.gauge.read()) == 1)
            refused = Websocket(stack.port)
            undo.callback(refused.close)
            assert refused.status in {403, 503}
            assert refused.headers.get("retry-after") == ("7" if refused.status == 503 else None)
            open_ones[0].close()
            assert waiting.status() == 200
            with contextlib.closing(Websocket(stack.port)) as later:
                later.send("in")
                assert later.read() == "in"
        wait_for_in_flight(stack, 0)
        assert upgraded(stack) == 0


def test_a_stop_closes_them_too() -> None:
    """A stack that stops closes websockets and ends streams well before its grace time is over."""
    with running(APPS["ASGI"], slots=1) as stack, lasting(stack.port, COUNT) as (sockets, streams):
        with stopping(stack) as codes:
            assert {one.read() for one in sockets} == {1012}
            for stream in streams:
                stream.read_until(WHOLE)
        assert codes == [0]
