"""Clients as streams of HTTP/2: what they hold, and that each request is judged and accounted for.

The servers are hyper-h2's reading of the protocol, and the edges'.
"""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from tests.edges import PROGRAMS
from tests.load.h2_servers import NONCE_NAME, Answer, Peer, each, echo
from tests.load.secured import Certificate, edge, over_tls
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
from tests.load.test_answers import always
from tests.load.test_paced import REQUESTS, drive_by_rate

pytestmark = pytest.mark.slow

CLIENTS, STREAMS, ENOUGH = 20, 8, 200
CONNECTIONS = 3
SHARED = 25
NO_ERROR, INTERNAL_ERROR, REFUSED_STREAM = 0, 2, 7


def in_two(peer: Peer, stream: int, _: dict[bytes, bytes]) -> None:
    """An answer whose head, body and end come one by one."""
    peer.head(stream, (b"x-long", 5_000 * b"x"))
    peer.flush()
    peer.h2.send_data(stream, b"o")
    peer.flush()
    peer.h2.send_data(stream, b"k", pad_length=9)
    peer.flush()
    peer.h2.send_headers(stream, [(b"x-trailer", b"1")], end_stream=True)
    peer._open.discard(stream)
    peer.flush()


def interim(peer: Peer, stream: int, headers: dict[bytes, bytes]) -> None:
    """Say that the answer is to come, ask whether the client is there, and answer."""
    peer.h2.send_headers(stream, [(b":status", b"103")])
    peer.h2.ping(b"are you?")
    echo(peer, stream, headers)


def without_body(peer: Peer, stream: int, _: dict[bytes, bytes]) -> None:
    peer.h2.send_headers(stream, [(b":status", b"204")], end_stream=True)
    peer.flush()


@pytest.mark.parametrize(
    ("answer", "changes"),
    [
        pytest.param(echo, {"nonce": "require", "path": "/{id}", "ids": 9}, id="nonce and ids"),
        pytest.param(echo, {"path": "/" + 300 * "x"}, id="long path"),
        pytest.param(in_two, {"length": 2}, id="in pieces"),
        pytest.param(interim, {}, id="interim"),
        pytest.param(without_body, {"status": 204, "length": 0}, id="no body"),
    ],
)
def test_good_answers_are_answers(
    certificate: Certificate, answer: Answer, changes: dict[str, object]
) -> None:
    """Each good answer counts on its stream, and few connections carry many clients."""
    with RawServer(over_tls(each(answer), certificate, "h2")) as server:
        plan = load_plan(server.port, tls=True, streams=STREAMS, clients=CLIENTS, idle=2, **changes)
        totals = drive(plan, lambda s: s.answered >= ENOUGH and s.idle == 2)
        assert server.accepted == CONNECTIONS + 2
    assert (totals.errors, totals.unsent, totals.unfinished) == ({}, 0, 0)
    assert server.requests == totals.answered + 2


def test_a_server_is_asked_what_was_to_be_asked(certificate: Certificate) -> None:
    """The method, scheme, host and path arrive as they do over HTTP/1.1."""
    seen: list[dict[bytes, bytes]] = []

    def note(peer: Peer, stream: int, headers: dict[bytes, bytes]) -> None:
        seen.append(headers)
        echo(peer, stream, headers)

    with RawServer(over_tls(each(note), certificate, "h2")) as server:
        plan = load_plan(server.port, tls=True, streams=2, clients=1, path="/a?b={id}", ids=1)
        drive(plan, lambda sample: sample.answered >= 1)
    found = seen[0] | {NONCE_NAME: b""}
    assert found == {
        b":method": b"GET",
        b":scheme": b"https",
        b":authority": b"here",
        b":path": b"/a?b=0",
        NONCE_NAME: b"",
    }


def test_without_tls_it_is_spoken_at_once() -> None:
    """A server that is known to speak HTTP/2 is spoken to without TLS too."""
    with RawServer(each(echo)) as server:
        plan = load_plan(server.port, streams=STREAMS, clients=CLIENTS)
        totals = drive(plan, lambda sample: sample.answered >= ENOUGH)
        assert server.accepted == CONNECTIONS
    assert totals.errors == {}


def test_a_long_answer_is_read_whole(certificate: Certificate) -> None:
    """The windows of a stream and of its connection do not stop a body of many megabytes."""
    size = 3_000_000

    def long(peer: Peer, stream: int, _: dict[bytes, bytes]) -> None:
        peer.head(stream, (b"content-length", b"%d" % size))
        while size - (sent := long.sent.get(stream, 0)):  # type: ignore[attr-defined]
            more = min(16_384, size - sent)
            peer.h2.send_data(stream, bytes(more), end_stream=sent + more == size)
            long.sent[stream] = sent + more  # type: ignore[attr-defined]
            peer.flush()

    long.sent = {}  # type: ignore[attr-defined]
    with RawServer(over_tls(each(long), certificate, "h2")) as server:
        plan = load_plan(server.port, tls=True, streams=2, clients=1, length=size)
        totals = drive(plan, lambda sample: sample.answered >= 2)
    assert totals.errors == {}


def with_status(peer: Peer, stream: int, headers: dict[bytes, bytes]) -> None:
    peer.answer(stream, status=b"503")


def with_another_nonce(peer: Peer, stream: int, headers: dict[bytes, bytes]) -> None:
    peer.answer(stream, (NONCE_NAME, 16 * b"0"))


def cut_short(peer: Peer, stream: int, headers: dict[bytes, bytes]) -> None:
    peer.raw(1, stream, b"\x88\x0f\x0d\x013", flags=4)  # :status 200, content-length 3
    peer.raw(0, stream, b"ok", flags=1)


def reset_stream(peer: Peer, stream: int, headers: dict[bytes, bytes]) -> None:
    peer.h2.reset_stream(stream, REFUSED_STREAM)
    peer.flush()


def go_away_in_anger(peer: Peer, stream: int, headers: dict[bytes, bytes]) -> None:
    peer.h2.close_connection(INTERNAL_ERROR, last_stream_id=stream)
    peer.flush()


def body_first(peer: Peer, stream: int, headers: dict[bytes, bytes]) -> None:
    peer.raw(0, stream, b"ok", flags=1)


def push(peer: Peer, stream: int, headers: dict[bytes, bytes]) -> None:
    peer.raw(5, stream, struct.pack(">I", 2) + b"\x82", flags=4)


def end_the_connection(peer: Peer, stream: int, headers: dict[bytes, bytes]) -> None:
    peer.head(stream)
    peer.flush()
    raise OSError


def say_nothing(peer: Peer, stream: int, headers: dict[bytes, bytes]) -> None:
    pass


@pytest.mark.parametrize(
    ("answer", "fault", "changes"),
    [
        pytest.param(with_status, "bad status", {}, id="status"),
        pytest.param(with_another_nonce, "bad nonce", {}, id="another's nonce"),
        pytest.param(echo, "bad length", {"length": 3}, id="another length"),
        pytest.param(cut_short, "bad length", {}, id="less than its length"),
        pytest.param(reset_stream, "stream reset", {}, id="reset stream"),
        pytest.param(go_away_in_anger, "goaway", {}, id="goes away with an error"),
        pytest.param(body_first, "garbage", {}, id="a body without a head"),
        pytest.param(push, "garbage", {}, id="pushed"),
        pytest.param(end_the_connection, "closed early", {}, id="closes in the answer"),
        pytest.param(say_nothing, "timeout", {"timeout_s": 0.1}, id="no answer in time"),
    ],
)
def test_bad_answers_are_failures(
    certificate: Certificate, answer: Answer, fault: str, changes: dict[str, object]
) -> None:
    """No bad answer counts as one, and the fault is named."""
    with RawServer(over_tls(each(answer), certificate, "h2")) as server:
        plan = load_plan(server.port, tls=True, streams=4, clients=4, **changes)
        totals = drive(plan, lambda sample: sample.failed >= 4, grace_s=0)
    assert (totals.answered, set(totals.errors)) == (0, {fault})


@pytest.mark.parametrize(
    ("protocol", "fault"),
    [("http/1.1", "handshake"), ("h2", "garbage")],
    ids=["by ALPN", "by word"],
)
def test_a_server_without_http_2_is_a_failure(
    certificate: Certificate, protocol: str, fault: str
) -> None:
    """Who does not agree on HTTP/2, or agrees and speaks something else, fails by name."""
    with RawServer(over_tls(always(OK), certificate, protocol)) as server:
        plan = load_plan(server.port, tls=True, streams=4, clients=4)
        totals = drive(plan, lambda sample: sample.failed >= 4)
    assert (totals.answered, set(totals.errors)) == (0, {fault})


def test_a_request_given_up_is_told_to_the_server(certificate: Certificate) -> None:
    """A stream whose answer is overdue is reset, and its connection goes on."""
    peers: list[Peer] = []

    def every_other(peer: Peer, stream: int, headers: dict[bytes, bytes]) -> None:
        peers.append(peer)
        if stream % 4 == 1:
            echo(peer, stream, headers)

    with RawServer(over_tls(each(every_other), certificate, "h2")) as server:
        plan = load_plan(server.port, tls=True, streams=4, clients=4, timeout_s=0.1)
        drive(plan, lambda s: s.failed >= 8 and sum(p.resets for p in set(peers)) >= 4, grace_s=0)
        assert server.accepted < server.requests


def test_who_leaves_in_good_order_loses_nothing(certificate: Certificate) -> None:
    """After a GOAWAY what was taken up is answered, and what was not is asked elsewhere, once."""

    def serve(connection: Connection) -> None:
        peer = Peer(connection)
        for _ in range(10):
            stream, headers = peer.request()
            if not stream:
                return
            echo(peer, stream, headers)
        last = stream
        peer.raw(7, 0, struct.pack(">II", last, NO_ERROR))
        while peer.connection.socket.recv(65_536):  # requests that crossed the GOAWAY
            pass

    with RawServer(over_tls(serve, certificate, "h2")) as server:
        plan = load_plan(server.port, tls=True, streams=4, clients=8, nonce="require")
        totals = drive(plan, lambda sample: sample.answered >= 100)
        assert server.accepted >= 10
    assert (totals.errors, totals.unfinished) == ({}, 0)
    assert totals.answered == server.requests


@pytest.mark.parametrize("rate", [False, True], ids=["closed loop", "by rate"])
def test_a_server_that_takes_fewer_streams_has_more_connections(
    certificate: Certificate, rate: bool
) -> None:
    """Clients beyond what a server takes ask on connections of their own, and that is said."""
    peers: set[Peer] = set()

    def note(peer: Peer, stream: int, headers: dict[bytes, bytes]) -> None:
        peers.add(peer)
        echo(peer, stream, headers)

    with RawServer(over_tls(each(note, streams=4), certificate, "h2")) as server:
        if rate:
            totals = drive_by_rate(
                server.port, warm=20, clients=20, tls=True, streams=10, timeout_s=5.0
            )
        else:
            plan = load_plan(server.port, tls=True, streams=10, clients=20)
            totals = drive(
                plan,
                lambda s: s.answered > ENOUGH and (s.sockets, s.granted, s.connected) == (5, 4, 20),
            )
        assert server.accepted == 5
    assert totals.errors == {}
    assert max(peer.most for peer in peers) <= 4


def test_a_server_that_takes_no_streams_is_a_failure(certificate: Certificate) -> None:
    """Who takes no stream at all has refused."""
    with RawServer(over_tls(each(echo, streams=0), certificate, "h2")) as server:
        plan = load_plan(server.port, tls=True, streams=4, clients=4)
        totals = drive(plan, lambda sample: sample.failed >= 4)
    assert (totals.answered, set(totals.errors)) == (0, {"refused"})


def test_each_request_that_is_due_is_answered(certificate: Certificate) -> None:
    """By rate a request goes on whichever stream is free, and all are answered."""
    with RawServer(over_tls(each(echo), certificate, "h2")) as server:
        totals = drive_by_rate(server.port, tls=True, streams=4, nonce="require")
        assert server.accepted <= 2
    assert (totals.answered, totals.failed, totals.unsent) == (REQUESTS, 0, 0)
    assert server.requests == REQUESTS


@pytest.mark.parametrize("program", PROGRAMS)
def test_an_edge_holds_all_of_them(
    program: str, app: Uvicorn, certificate: Certificate, tmp_path: Path
) -> None:
    """Behind nginx and HAProxy the app has as many in flight as eight connections carry."""
    with edge(program, tmp_path, certificate.pem, app.port) as port:
        holds_all(app, port, HELD // SHARED + IDLE, tls=True, streams=SHARED)


@pytest.mark.parametrize("program", PROGRAMS)
def test_an_edge_that_takes_fewer_streams_answers_all(
    program: str, app: Uvicorn, certificate: Certificate, tmp_path: Path
) -> None:
    """An edge that takes 5 streams, and leaves after 100 requests, answers every one."""
    limits = {"streams": 5, "requests": 100}
    with edge(program, tmp_path, certificate.pem, app.port, **limits) as port:
        plan = load_plan(port, tls=True, streams=20, path="/now/{id}", ids=9, clients=20)
        totals = drive(plan, lambda s: s.answered > 5 * ENOUGH and s.granted == 5)
    assert (totals.errors, totals.unfinished) == ({}, 0)
