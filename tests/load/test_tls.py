"""Clients over TLS, on raw servers and the edges: counted as others are, and each fault named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.edges import PROGRAMS
from tests.load.secured import Certificate, edge, make_certificate, over_tls
from tests.load.servers import (
    HELD,
    IDLE,
    OK,
    Connection,
    RawServer,
    Uvicorn,
    drive,
    holds_all,
    load_plan,
)
from tests.load.test_answers import (
    CLIENTS,
    ENOUGH,
    HUGE,
    LAST,
    always,
    echo,
    enough_answered,
    sized,
)
from tests.load.test_paced import REQUESTS, drive_by_rate

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return make_certificate(tmp_path_factory.mktemp("stranger"), "DNS:elsewhere.test")


def once(answer: bytes) -> Callable[[Connection], object]:
    """Return what answers one request, and closes."""
    return lambda connection: connection.request() and connection.send(answer)


def never(connection: Connection) -> None:
    connection.request()
    connection.request()


@pytest.mark.parametrize(
    ("serve", "changes"),
    [
        pytest.param(always(OK), {}, id="one record"),
        pytest.param(always(OK[:30], OK[30:-1], OK[-1:]), {}, id="three records"),
        pytest.param(echo, {"nonce": "require", "path": "/{id}", "ids": 9}, id="nonce and ids"),
        pytest.param(always(sized(70_000)), {}, id="longer than a read"),
        pytest.param(always(HUGE), {"length": 2}, id="huge head"),
    ],
)
def test_good_answers_are_answers(
    certificate: Certificate, serve: Callable[[Connection], object], changes: dict[str, object]
) -> None:
    """Over TLS a good answer counts as it does without, and the server got what was sent."""
    with RawServer(over_tls(serve, certificate)) as server:
        plan = load_plan(server.port, tls=True, clients=CLIENTS, idle=1, **changes)
        totals = drive(plan, lambda s: enough_answered(s) and s.idle == 1)
        assert server.accepted == CLIENTS + 1
    assert (totals.failed, totals.errors, totals.unsent) == (0, {}, 0)
    assert server.requests == totals.answered + 1 > ENOUGH


@pytest.mark.parametrize("answer", [LAST, OK], ids=["said", "unannounced"])
def test_a_server_that_closes_after_each_answer_is_asked_again(
    certificate: Certificate, answer: bytes
) -> None:
    """An end between requests is no failure over TLS either: the client shakes hands anew."""
    with RawServer(over_tls(once(answer), certificate)) as server:
        plan = load_plan(server.port, tls=True, clients=CLIENTS)
        totals = drive(plan, lambda sample: sample.answered >= ENOUGH // 2)
        assert server.accepted >= totals.answered
    assert (totals.failed, totals.unfinished) == (0, 0)


@pytest.mark.parametrize(
    ("serve", "fault"),
    [
        pytest.param(lambda c: None, "handshake", id="closes at once"),
        pytest.param(lambda c: c.socket.recv(65_536), "handshake", id="closes in the handshake"),
        pytest.param(lambda c: c.send(OK), "handshake", id="speaks no TLS"),
    ],
)
def test_a_handshake_that_fails_is_named(serve: Callable[[Connection], object], fault: str) -> None:
    """A server that ends the handshake, or has none, is a failure of that name."""
    with RawServer(serve) as server:
        totals = drive(load_plan(server.port, tls=True, clients=2), lambda s: s.failed >= 2)
    assert (totals.answered, set(totals.errors)) == (0, {fault})


def test_a_handshake_that_nobody_answers_is_given_up() -> None:
    """The time for a connect is that for its handshake too."""
    with RawServer(lambda c: c.socket.recv(65_536) and c.socket.recv(1)) as server:
        plan = load_plan(server.port, tls=True, clients=2, connect_timeout_s=0.1)
        totals = drive(plan, lambda sample: sample.failed >= 2, grace_s=0)
    assert set(totals.errors) == {"connect timeout"}


@pytest.mark.parametrize(
    ("serve", "fault", "changes"),
    [
        pytest.param(always(b"hello\r\n\r\n"), "garbage", {}, id="garbage"),
        pytest.param(always(OK.replace(b"200", b"503")), "bad status", {}, id="status"),
        pytest.param(always(OK), "bad nonce", {"nonce": "require"}, id="no nonce"),
        pytest.param(always(OK + OK), "bad length", {}, id="answers twice"),
        pytest.param(once(OK[:-1]), "closed early", {}, id="cut short"),
        pytest.param(lambda c: c.request(), "closed early", {}, id="no answer"),
        pytest.param(never, "timeout", {"timeout_s": 0.1}, id="no answer in time"),
    ],
)
def test_bad_answers_are_failures(
    certificate: Certificate,
    serve: Callable[[Connection], object],
    fault: str,
    changes: dict[str, object],
) -> None:
    """A bad answer over TLS is a failure of the same name as one without."""
    with RawServer(over_tls(serve, certificate)) as server:
        plan = load_plan(server.port, tls=True, clients=2, **changes)
        totals = drive(plan, lambda sample: sample.failed >= 2, grace_s=0)
    assert (totals.answered, set(totals.errors)) == (0, {fault})


def test_bytes_past_the_seal_are_a_failure(certificate: Certificate) -> None:
    """Where TLS itself breaks after the handshake, the failure says so."""

    def serve(connection: Connection) -> None:
        plain = connection.socket

        def answer(sealed: Connection) -> None:
            sealed.request()
            plain.sendall(OK)
            sealed.request()

        over_tls(answer, certificate)(connection)

    with RawServer(serve) as server:
        totals = drive(load_plan(server.port, tls=True, clients=2), lambda s: s.failed >= 2)
    assert (totals.answered, set(totals.errors)) == (0, {"tls"})


def test_a_certificate_is_verified_where_it_can_be(
    certificate: Certificate, stranger: Certificate
) -> None:
    """With certificates to verify by, the right server is answered by and no other."""
    with RawServer(over_tls(always(OK), certificate)) as server:
        plan = load_plan(server.port, tls=True, clients=2, host=f"127.0.0.1:{server.port}")
        good = drive(replace(plan, ca=certificate.certificate), enough_answered)
        bad = drive(replace(plan, ca=stranger.certificate), lambda s: s.failed >= 2)
    assert good.errors == {}
    assert (bad.answered, set(bad.errors)) == (0, {"certificate"})


def test_a_certificate_of_another_name_is_refused(stranger: Certificate) -> None:
    """A certificate that can be trusted and is of another host is a failure."""
    with RawServer(over_tls(always(OK), stranger)) as server:
        changes = {"tls": True, "ca": stranger.certificate, "host": f"127.0.0.1:{server.port}"}
        plan = load_plan(server.port, clients=2, **changes)
        totals = drive(plan, lambda sample: sample.failed >= 2)
    assert (totals.answered, set(totals.errors)) == (0, {"certificate"})


def test_each_request_that_is_due_is_answered(certificate: Certificate) -> None:
    """By rate, over TLS, a server that keeps up answers all that was due, and received no more."""
    with RawServer(over_tls(echo, certificate)) as server:
        totals = drive_by_rate(server.port, tls=True, nonce="require")
    assert (totals.answered, totals.failed, totals.unsent) == (REQUESTS, 0, 0)
    assert server.requests == REQUESTS


@pytest.mark.parametrize("program", PROGRAMS)
def test_an_edge_holds_all_of_them(
    program: str, app: Uvicorn, certificate: Certificate, tmp_path: Path
) -> None:
    """Behind nginx and HAProxy the app has as many in flight as the clients say, and frees all."""
    with edge(program, tmp_path, certificate.pem, app.port) as port:
        holds_all(app, port, HELD + IDLE, tls=True)
