"""Bodies at their limit and past it, by length and in chunks, through each edge and without one."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from contextlib import closing, suppress

import pytest

from holdfast.model.front.body import Body
from holdfast.model.front.front import Front
from holdfast.sizing.layout import Program
from holdfast.stack.process import StackProcess
from tests.edges import PROGRAMS
from tests.stack.driving import running, wait_for_in_flight
from tests.stack.edges import behind

pytestmark = pytest.mark.slow

MOST = 200_000
FEW = 4_000
"""A limit below what HAProxy takes of a chunked body (8 KiB)."""


TRIES = 30
"""A body in chunks may be there with its head, or come after it: the limit is asked of both."""


def answered(port: int, size: int, *, chunked: bool = False) -> tuple[int, int]:
    """Status, and length of the body that the app sends back, for a body of such a size."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    parts: Iterator[bytes] | bytes = b"x" * size
    if chunked:
        parts = (b"x" * min(5_000, size - at) for at in range(0, size, 5_000))
    with closing(connection):
        with suppress(BrokenPipeError, ConnectionResetError):  # its answer may be there already
            connection.request("POST", "/echo", parts, encode_chunked=chunked)
        try:
            answer = connection.getresponse()
            return answer.status, len(answer.read()) if answer.status == 200 else 0
        except ConnectionResetError:
            return 0, 0


def started(stack: StackProcess) -> int:
    """Requests that the app was asked."""
    return sum(row.started for row in stack.gauge.read())


@pytest.mark.parametrize("buffered", [True, False], ids=["buffered", "passed on"])
@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("most", [FEW, MOST])
def test_a_body_past_the_limit_is_refused(program: Program, buffered: bool, most: int) -> None:
    """At the limit it is echoed whole, a byte past it 413, and the app never has more; HAProxy asks
    for the length of a chunked one of 8 KiB or more."""
    front = Front(body=Body(most=most, buffered=buffered))
    with running("kit_asgi:app", **{**behind(program, front=front), "slots": 1}) as stack:
        assert answered(stack.port, most) == (200, most)
        assert answered(stack.port, most + 1) == (413, 0)
        assert answered(stack.port, 10 * most) in {(413, 0), (0, 0)}
        assert started(stack) == 1
        longest = most if program == "nginx" or most == FEW else 8_000
        assert answered(stack.port, longest, chunked=True) == (200, longest)
        past = 411 if program == "haproxy" and most == MOST else 413
        for _ in range(TRIES):
            assert answered(stack.port, most + 1, chunked=True) in {(past, 0), (0, 0)}
        wait_for_in_flight(stack, 0)
        assert started(stack) <= 2 + (0 if buffered or program == "haproxy" else TRIES)


@pytest.mark.parametrize("engine", ["uvicorn", "tornado"])
def test_without_an_edge_the_app_has_them_all(engine: str) -> None:
    """Directly nobody limits a body but the engine and the app: so a limit wants an edge."""
    app = {"uvicorn": "kit_asgi:app", "tornado": "kit_tornado:app"}[engine]
    with running(app, slots=1, engine=engine) as stack:
        for chunked in (False, True):
            assert answered(stack.port, 5 * MOST, chunked=chunked) == (200, 5 * MOST)
