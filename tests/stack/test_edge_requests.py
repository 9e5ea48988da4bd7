"""What is no request, or more than one, or too large, is answered at the edge: `malformed` rows."""

from __future__ import annotations

import contextlib
import json
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from holdfast.model.front.front import Front
from holdfast.sizing.layout import Program
from holdfast.stack.process import StackProcess
from tests.edges import PROGRAMS
from tests.stack.driving import running
from tests.stack.edges import behind
from tests.stack.malformed import CHUNKED, HELLO, ROWS, Row, request

pytestmark = pytest.mark.slow

_STATUS = re.compile(rb"HTTP/1\.1 (\d{3})")
_BY_WORKER = b"Invalid HTTP request received."
_LAST = b"GET /last HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


class Witness:
    """An edge before one worker, whose app writes down what it sees."""

    def __init__(self, program: Program, stack: StackProcess, notes: Path) -> None:
        self.program = program
        self._stack = stack
        self._notes = notes
        self._read = 0

    def send(self, data: bytes, answers: int) -> bytes:
        """All that comes back on a connection; no more is sent once so many answers are here."""
        with socket.create_connection(("127.0.0.1", self._stack.port), timeout=30) as client:
            came = b""
            with contextlib.suppress(OSError):  # an edge may close before it has read all
                client.sendall(data)
            with contextlib.suppress(ConnectionError):
                while len(_STATUS.findall(came)) < answers and (more := client.recv(65_536)):
                    came += more
            with contextlib.suppress(OSError):
                client.shutdown(socket.SHUT_WR)
                while more := client.recv(65_536):
                    came += more
        return came

    def seen(self) -> list[dict[str, Any]]:
        """What the app has noted since the last time; what was sent before has arrived by then."""
        assert _STATUS.findall(self.send(_LAST, 1)) == [b"200"]
        text = self._notes.read_text()[self._read :]
        self._read += len(text)
        notes = [json.loads(line) for line in text.splitlines()]
        return [note for note in notes if "/last" not in (note.get("target"), note.get("of"))]

    def started(self) -> int:
        """Requests that the gauge has counted."""
        return sum(row.started for row in self._stack.gauge.read())


@pytest.fixture(scope="module", params=PROGRAMS)
def witness(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Witness]:
    """One stack for all rows: what one of them leaves behind would show in the next."""
    notes = tmp_path_factory.mktemp("notes") / "notes"
    fields = {**behind(request.param, front=Front()), "slots": 1}
    with running("witness:app", env={"WITNESS": str(notes)}, **fields) as stack:
        yield Witness(request.param, stack, notes)


@pytest.mark.parametrize("row", ROWS, ids=[row.name for row in ROWS])
def test_the_app_sees_what_was_meant_and_nothing_else(witness: Witness, row: Row) -> None:
    """The edge's answers are the row's, and the app has seen one request for each 200, once."""
    answers = row.nginx if witness.program == "nginx" else row.haproxy
    before = witness.started()
    came = witness.send(row.data, len(answers))
    assert tuple(map(int, _STATUS.findall(came))) == answers
    assert (_BY_WORKER in came) == (witness.program in row.worker)
    notes = witness.seen()
    asked = [note for note in notes if "target" in note]
    bodies = tuple(note["body"] for note in notes if "body" in note)
    assert bodies == (row.bodies if 200 in answers else ())
    assert len(asked) == len(bodies) == answers.count(200)
    assert not any("hidden" in note["target"] for note in asked)
    assert witness.started() - before == len(asked) + 1


def test_requests_of_one_connection_arrive_in_order(witness: Witness) -> None:
    """Of a hundred sent at once the app sees each, in the order in which they were sent."""
    lines = [b"GET /%d HTTP/1.1" % number for number in range(100)]
    came = witness.send(b"".join(map(request, lines)), 100)
    assert _STATUS.findall(came) == [b"200"] * 100
    targets = [note["target"] for note in witness.seen() if "target" in note]
    assert targets == [f"/{number}" for number in range(100)]


CLAIMS = (
    request(b"GET / HTTP/1.1", b"X-Forwarded-For: 9.9.9.9", b"X-Forwarded-Proto: https"),
    request(b"GET / HTTP/1.1", b"X_Forwarded_For: 9.9.9.9", b"X_Forwarded_Proto: https"),
    request(b"GET / HTTP/1.1", b"Connection: X-Forwarded-For, X-Forwarded-Proto, Host"),
    request(
        *(b"POST / HTTP/1.1", CHUNKED),
        body=HELLO[:-2] + b"X-Forwarded-For: 9.9.9.9\r\nX-Forwarded-Proto: https\r\n\r\n",
    ),
)


@pytest.mark.parametrize("data", CLAIMS, ids=["headers", "underscores", "connection", "trailers"])
def test_what_a_client_claims_of_itself_goes_no_further(witness: Witness, data: bytes) -> None:
    """Address and scheme that the app is told are the edge's, however a client says others."""
    assert _STATUS.findall(witness.send(data, 1)) == [b"200"]
    (asked,) = (note for note in witness.seen() if "target" in note)
    told = [(name.replace("_", "-"), value) for name, value in asked["headers"]]
    of_clients = ("host", "x-forwarded-for", "x-forwarded-proto")
    assert sorted(pair for pair in told if pair[0] in of_clients) == [
        ("host", "x"),
        ("x-forwarded-for", "127.0.0.1"),
        ("x-forwarded-proto", "http"),
    ]


def test_a_websocket_that_nobody_asked_for_is_a_plain_request(witness: Witness) -> None:
    """The app is asked for a GET, and hears nothing of an upgrade."""
    key = b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=="
    head = (b"Connection: Upgrade", b"Upgrade: websocket", b"Sec-WebSocket-Version: 13", key)
    status = _STATUS.findall(witness.send(request(b"GET /socket HTTP/1.1", *head), 1))
    (seen,) = (note for note in witness.seen() if not {"body", "left"} & note.keys())
    assert (status, seen["method"]) == ([b"200"], "GET")
    assert "upgrade" not in dict(seen["headers"])


def test_no_chunk_and_no_upgrade_reaches_a_worker(witness: Witness) -> None:
    """A worker is told lengths alone: it and the edge cannot disagree where a body ends."""
    assert _STATUS.findall(witness.send(request(b"POST / HTTP/1.1", CHUNKED, body=HELLO), 1))
    upgrade = request(b"GET / HTTP/1.1", b"Connection: Upgrade", b"Upgrade: h2c")
    assert _STATUS.findall(witness.send(upgrade, 1))
    names = {name for note in witness.seen() for name, _ in note.get("headers", ())}
    assert "content-length" in names
    assert not names & {"transfer-encoding", "upgrade"}
