"""Streams of events: passed on as they come, and ended between two events when a worker leaves."""

from __future__ import annotations

import contextlib

import pytest

from holdfast.model.front.front import Front
from holdfast.model.front.upgrades import Streams
from holdfast.sizing.layout import Program
from holdfast.wire import ENGINES
from tests.edges import PROGRAMS
from tests.stack.driving import Log, running, wait_for_in_flight
from tests.stack.edges import behind
from tests.stack.websockets import WHOLE, Stream

pytestmark = pytest.mark.slow

THREADED = [name for name, row in ENGINES.items() if row.interface == "WSGI" and name != "sync"]
COUNT = 5


@pytest.mark.parametrize("engine", THREADED)
def test_a_wsgi_stream_ends_after_an_event(engine: str) -> None:
    """A WSGI app's stream ends with its next event, and the worker leaves without a cut."""
    with (
        running("lasting_wsgi:app", slots=1, engine=engine, cap=20) as stack,
        contextlib.ExitStack() as undo,
    ):
        streams = [Stream(stack.port) for _ in range(COUNT)]
        for stream in streams:
            undo.callback(stream.close)
            stream.read_until(b"1\n\n")
        wait_for_in_flight(stack, COUNT)
        log = Log(stack)
        stack.replace(0)
        for stream in streams:
            stream.read_until(WHOLE)
            assert stream.came.endswith(b"\n\n\r\n" + WHOLE)
            stream.close()
        assert log.wait_for("stopped")[0].status == 0
        assert log.of("cut") == []
        assert log.of("told")[0].text == f"to come back: 0 websockets, {COUNT} event streams"


@pytest.mark.parametrize("program", PROGRAMS)
def test_an_event_passes_as_it_comes(program: Program) -> None:
    """The first event is there while the app is silent; the edge ends a stream past its own time,
    and an answer elsewhere past the usual one."""
    front = Front(streams=Streams(paths=("/events",), idle=2.0))
    told = {**behind(program, front=front, longest_s=0.5), "slots": 1}
    with running("lasting_asgi:app", **told) as stack, contextlib.ExitStack() as undo:
        stream, ended = (Stream(stack.port, path) for path in ("/events/slow", "/slow"))
        undo.callback(stream.close)
        undo.callback(ended.close)
        stream.read_until(b"0\n\n")
        assert b"1\n\n" not in stream.came
        stream.read_until(b"1\n\n")
        for one in (stream, ended):
            with pytest.raises(ConnectionError):
                one.read_until(WHOLE)
        assert b"1\n\n" not in ended.came
        wait_for_in_flight(stack, 0)
