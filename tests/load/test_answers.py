"""Servers that answer in every way, good and bad: each request is judged and accounted for."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable

import pytest

from holdfast.load.clients import READ_BYTES, SMALL_READ_BYTES
from holdfast.load.counts import FleetSample
from tests.load.servers import NONCE, OK, Connection, RawServer, drive, load_plan, nonce_in

pytestmark = pytest.mark.slow

CLIENTS, ENOUGH = 4, 100
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
LAST = OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
HUGE = OK.replace(b"\r\n\r\n", b"\r\nX-Huge: " + 60_000 * b"x" + b"\r\n\r\n")
ENDLESS = b"HTTP/1.1 200 OK\r\n" + 10_000 * b"X-More: more\r\n"
NO_LENGTH = b"HTTP/1.1 200 OK\r\n\r\nok"


def sized(size: int) -> bytes:
    """Return an answer that has so many bytes in all."""
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n"
    body = next(n for n in range(size, 0, -1) if len(head % n) + n == size)
    return head % body + bytes(body)


def always(*pieces: bytes) -> Callable[[Connection], object]:
    """Return what answers each request with the same pieces."""

    def serve(connection: Connection) -> None:
        while connection.request():
            connection.send(*pieces)

    return serve


def echo(connection: Connection) -> None:
    while request := connection.request():
        line = NONCE + nonce_in(request)
        connection.send(OK.replace(b"\r\n\r\n", b"\r\n" + line + b"\r\n\r\n"))


def once_and_close(answer: bytes) -> Callable[[Connection], object]:
    def serve(connection: Connection) -> None:
        if connection.request():
            connection.send_and_close(answer)
            connection.request()

    return serve


def reset(connection: Connection, after: bytes = b"") -> None:
    """Send the beginning of an answer, then break the connection off."""
    if connection.request():
        connection.send(after)
        connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def enough_answered(sample: FleetSample) -> bool:
    return sample.answered >= ENOUGH


@pytest.mark.parametrize(
    ("serve", "changes"),
    [
        pytest.param(always(OK), {}, id="one piece"),
        pytest.param(always(*(OK[n : n + 1] for n in range(len(OK)))), {}, id="byte by byte"),
        pytest.param(always(OK), {"nonce": "off"}, id="no nonce asked"),
        pytest.param(echo, {"nonce": "require"}, id="nonce"),
        pytest.param(echo, {"nonce": "require", "path": "/{id}", "ids": 1000}, id="ids"),
        pytest.param(always(OK), {"length": 2}, id="length as wanted"),
        pytest.param(always(sized(SMALL_READ_BYTES)), {}, id="as long as a read"),
        pytest.param(always(sized(SMALL_READ_BYTES + 1)), {}, id="longer than a read"),
        pytest.param(always(sized(READ_BYTES)), {}, id="as long as the longest read"),
        pytest.param(always(CHUNKED), {"length": 2}, id="chunked"),
        pytest.param(always(CONTINUE + OK), {}, id="continue first"),
        pytest.param(always(CONTINUE, OK), {}, id="continue in a piece of its own"),
        pytest.param(always(OK.replace(b"200", b"302")), {"status": 302}, id="redirect wanted"),
        pytest.param(always(HUGE), {"length": 2}, id="huge head"),
    ],
)
def test_good_answers_are_answers(
    serve: Callable[[Connection], object], changes: dict[str, object]
) -> None:
    """Whatever its form, a good answer counts, and the server received what was sent."""
    with RawServer(serve) as server:
        totals = drive(load_plan(server.port, clients=CLIENTS, **changes), enough_answered)
        assert server.accepted == CLIENTS
    assert (totals.failed, totals.unfinished, totals.unsent) == (0, 0, 0)
    assert server.requests == totals.answered >= ENOUGH


@pytest.mark.parametrize(
    "serve",
    [
        pytest.param(once_and_close(NO_LENGTH), id="no length"),
        pytest.param(once_and_close(OK), id="unannounced"),
        pytest.param(once_and_close(LAST), id="said"),
        pytest.param(once_and_close(OK.replace(b"1.1", b"1.0")), id="HTTP/1.0"),
    ],
)  # fmt: skip
def test_a_server_that_closes_after_each_answer_is_asked_again(
    serve: Callable[[Connection], object],
) -> None:
    """An end between requests is no failure: the client comes back at once."""
    with RawServer(serve) as server:
        totals = drive(load_plan(server.port, clients=CLIENTS), enough_answered)
        assert server.accepted >= totals.answered
    assert (totals.failed, totals.unfinished) == (0, 0)


def test_a_long_answer_is_read_whole() -> None:
    """An answer of many megabytes is read to its end, and its length is known."""
    size = 20_000_000
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size
    with RawServer(always(head + bytes(size))) as server:
        plan = load_plan(server.port, clients=1, length=size)
        totals = drive(plan, lambda sample: sample.answered >= 2)
    assert totals.failed == 0


@pytest.mark.parametrize(
    ("serve", "fault", "changes"),
    [
        pytest.param(always(b"hello\r\n\r\n"), "garbage", {}, id="garbage"),
        pytest.param(always(OK.replace(b"200", b"503")), "bad status", {}, id="status"),
        pytest.param(always(OK.replace(b"200", b"302")), "bad status", {}, id="redirect"),
        pytest.param(always(OK), "bad length", {"length": 3}, id="another length"),
        pytest.param(always(OK + b"more"), "bad length", {}, id="more than its length"),
        pytest.param(always(OK + OK), "bad length", {}, id="answers twice"),
        pytest.param(always(ENDLESS), "garbage", {}, id="a head without end"),
        pytest.param(always(CONTINUE), "timeout", {"timeout_s": 0.2}, id="continue, no answer"),
        pytest.param(once_and_close(OK[:-1]), "closed early", {}, id="less than its length"),
        pytest.param(once_and_close(CHUNKED[:-2]), "closed early", {}, id="chunks cut short"),
        pytest.param(once_and_close(b""), "closed early", {}, id="no answer"),
        pytest.param(always(OK), "bad nonce", {"nonce": "require"}, id="no nonce"),
        pytest.param(reset, "reset", {}, id="reset before the answer"),
        pytest.param(lambda c: reset(c, OK[:20]), "reset", {}, id="reset in the answer"),
        pytest.param(Connection.request, "timeout", {"timeout_s": 0.2}, id="no answer in time"),
    ],
)
def test_bad_answers_are_failures(
    serve: Callable[[Connection], object], fault: str, changes: dict[str, object]
) -> None:
    """A bad answer is a failure with its name, and the client stays wanted."""

    def serve_and_wait(connection: Connection) -> None:
        serve(connection)
        if fault == "timeout":
            connection.request()

    with RawServer(serve_and_wait) as server:
        plan = load_plan(server.port, clients=CLIENTS, **changes)
        totals = drive(plan, lambda sample: sample.failed >= 2 * CLIENTS, grace_s=1.0)
    assert set(totals.errors) == {fault}
    assert totals.answered == 0
    assert str(totals.first_error).startswith(f"{fault}: ")


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        pytest.param((b"200", b"500"), "bad status", id="status"),
        pytest.param((NONCE, NONCE + b"1"), "bad nonce", id="a longer nonce"),
        pytest.param((b"ok", b"o"), "closed early", id="shorter body"),
        pytest.param((b"ok", b"okay"), "bad length", id="longer body"),
    ],
)
def test_a_server_that_goes_wrong_later_is_found_out(
    change: tuple[bytes, bytes], fault: str
) -> None:
    """An answer that was good a hundred times is still judged."""

    def serve(connection: Connection) -> None:
        answered = 0
        while request := connection.request():
            answered += 1
            answer = OK.replace(b"\r\n\r\n", b"\r\n" + NONCE + nonce_in(request) + b"\r\n\r\n")
            if answered > ENOUGH:
                connection.send_and_close(answer.replace(*change))
                connection.request()
                return
            connection.send(answer)

    with RawServer(serve) as server:
        totals = drive(load_plan(server.port, clients=2), lambda sample: sample.failed >= 2)
    assert set(totals.errors) == {fault}
    assert totals.answered >= 2 * ENOUGH


def test_an_answer_to_another_request_is_a_failure() -> None:
    """A server that answers with another request's nonce is found out, also on the fast path."""
    nonces: list[bytes] = []

    def serve(connection: Connection) -> None:
        answered = 0
        while request := connection.request():
            answered += 1
            nonces.append(nonce_in(request))
            nonce = nonces[-1] if answered <= ENOUGH else nonces[0]
            connection.send(OK.replace(b"\r\n\r\n", b"\r\n" + NONCE + nonce + b"\r\n\r\n"))

    with RawServer(serve) as server:
        totals = drive(load_plan(server.port, clients=2), lambda sample: sample.failed >= 2)
    assert set(totals.errors) == {"bad nonce"}
    assert len(set(nonces)) == len(nonces)


def test_times_are_no_shorter_than_the_server_took() -> None:
    """No answer is timed shorter than the server waited for it, or longer than the whole run."""
    wait_s = 0.03
    pause = threading.Event()

    def serve(connection: Connection) -> None:
        while connection.request():
            pause.wait(wait_s)
            connection.send(OK)

    with RawServer(serve) as server:
        totals = drive(load_plan(server.port, clients=CLIENTS), enough_answered)
    for times in (totals.response, totals.service):
        assert wait_s * 0.99 <= times.percentile_s(0) <= times.max_s <= totals.wall_s * 1.01
