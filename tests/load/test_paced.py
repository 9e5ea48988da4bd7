"""Load by rate on real servers: each request that was due is in one place, whatever they do."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from holdfast.load.counts import FleetTotals
from holdfast.load.fleet import Fleet
from tests.helpers import free_port, wait_until
from tests.load.servers import OK, Connection, RawServer, check_accounts, load_plan
from tests.load.test_answers import (
    CHUNKED,
    CONTINUE,
    ENDLESS,
    HUGE,
    LAST,
    NO_LENGTH,
    always,
    echo,
    once_and_close,
    reset,
)

pytestmark = pytest.mark.slow

REQUESTS = 100


def drive_by_rate(
    port: int, warm: int = 2, grace_s: float = 30.0, **changes: object
) -> FleetTotals:
    """Send REQUESTS in half a second, and let go once all are due."""
    usual: dict[str, object] = {"rate": REQUESTS / 0.5, "for_s": 0.5, "clients": 8}
    plan = load_plan(port, **(usual | changes))
    with Fleet(plan) as fleet:
        fleet.start()
        fleet.allow(warm, 0)
        wait_until(
            lambda: fleet.read().connected + fleet.read().errors.get("idle refused", 0) >= warm
        )
        end_s = fleet.begin() + plan.for_s
        wait_until(lambda: fleet.read().at_s > end_s)
        totals = fleet.let_go(grace_s)
    check_accounts(totals)
    assert totals.intended == plan.requests
    return totals


@pytest.mark.parametrize(
    ("serve", "changes"),
    [
        pytest.param(always(OK), {}, id="constant"),
        pytest.param(always(OK), {"arrivals": "poisson", "processes": 2}, id="poisson"),
        pytest.param(always(OK), {"nonce": "off"}, id="no nonce asked"),
        pytest.param(echo, {"nonce": "require", "path": "/{id}", "ids": 9}, id="nonce and ids"),
        pytest.param(always(CHUNKED), {"length": 2}, id="chunked"),
        pytest.param(always(*(OK[n : n + 1] for n in range(len(OK)))), {}, id="byte by byte"),
        pytest.param(once_and_close(LAST), {}, id="closed after each answer"),
        pytest.param(once_and_close(NO_LENGTH), {"length": 2}, id="no length"),
        pytest.param(always(CONTINUE + OK), {}, id="continue first"),
        pytest.param(always(CONTINUE, OK), {}, id="continue in a piece of its own"),
        pytest.param(always(HUGE), {"length": 2}, id="huge head"),
        pytest.param(always(OK.replace(b"200", b"302")), {"status": 302}, id="redirect wanted"),
    ],
)
def test_each_request_that_is_due_is_answered(
    serve: Callable[[Connection], object], changes: dict[str, object]
) -> None:
    """A server that keeps up answers all that was due, and received no more."""
    with RawServer(serve) as server:
        totals = drive_by_rate(server.port, **changes)
    assert (totals.answered, totals.failed, totals.unsent) == (REQUESTS, 0, 0)
    assert server.requests == REQUESTS
    assert totals.late.count <= REQUESTS


@pytest.mark.parametrize(
    ("serve", "fault", "changes"),
    [
        pytest.param(always(b"hello\r\n\r\n"), "garbage", {}, id="garbage"),
        pytest.param(always(OK.replace(b"200", b"302")), "bad status", {}, id="redirect"),
        pytest.param(always(OK + OK), "bad length", {}, id="answers twice"),
        pytest.param(always(ENDLESS), "garbage", {}, id="a head without end"),
        pytest.param(always(CONTINUE), "timeout", {"timeout_s": 0.1}, id="continue, no answer"),
        pytest.param(once_and_close(OK[:-1]), "closed early", {}, id="cut short"),
        pytest.param(reset, "reset", {}, id="reset"),
        pytest.param(
            lambda c: c.request() and c.request(), "timeout", {"timeout_s": 0.1}, id="never"
        ),
    ],
)
def test_bad_answers_are_failures_by_rate(
    serve: Callable[[Connection], object], fault: str, changes: dict[str, object]
) -> None:
    """No bad answer is counted as one, and the fault is named."""
    with RawServer(serve) as server:
        totals = drive_by_rate(server.port, grace_s=3.0, **changes)
    assert totals.answered == 0
    assert set(totals.errors) == {fault}
    assert totals.failed + totals.unsent + totals.unfinished == REQUESTS


def test_requests_that_find_no_connection_wait_and_are_unsent() -> None:
    """Two connections that are never answered leave all other requests unsent."""
    with RawServer(lambda c: c.request() and c.request()) as server:
        totals = drive_by_rate(server.port, clients=2, grace_s=0.0)
        assert server.accepted == 2
    assert (totals.unfinished, totals.unsent) == (2, REQUESTS - 2)
    assert totals.late.count == 2


def test_connections_are_opened_for_requests_that_wait() -> None:
    """More are opened than were there at the start, up to the bound, and no more."""
    with RawServer(lambda c: c.request() and c.request()) as server:
        totals = drive_by_rate(server.port, warm=1, clients=5, grace_s=0.0)
        assert server.accepted == 5
    assert totals.unfinished == 5


def test_time_counts_from_when_a_request_was_due() -> None:
    """One connection that a first answer holds up delays the rest, and their times say so."""
    held = False

    def serve(connection: Connection) -> None:
        nonlocal held
        while connection.request():
            if not held:
                held = True
                wait_until(lambda: fleet.read().intended == REQUESTS)
            connection.send(OK)

    with RawServer(serve) as server:
        plan = load_plan(server.port, rate=REQUESTS / 0.5, for_s=0.5, clients=1)
        with Fleet(plan) as fleet:
            fleet.start()
            fleet.allow(1, 0)
            wait_until(lambda: fleet.read().connected == 1)
            fleet.begin()
            wait_until(lambda: fleet.read().answered == REQUESTS)
            totals = fleet.let_go(1.0)
    check_accounts(totals)
    assert totals.response.percentile_s(50) > 0.2  # half of them waited half of the time
    assert totals.service.percentile_s(50) < totals.response.percentile_s(50)


def test_a_server_that_is_not_there_fails_each_request() -> None:
    """Where nobody listens, each request that is due fails, named refused."""
    totals = drive_by_rate(free_port(), grace_s=1.0)
    assert totals.errors.get("refused", 0) > 0
    assert totals.failed + totals.unsent == REQUESTS


def test_a_free_connection_that_the_server_closes_is_no_failure() -> None:
    """A server may close what has no request; what is due goes elsewhere."""

    def serve(connection: Connection) -> None:
        if connection.server.accepted > 2:
            always(OK)(connection)

    with RawServer(serve) as server:
        totals = drive_by_rate(server.port)
    assert totals.answered + totals.failed == REQUESTS
    assert totals.failed <= 2


REFUSED = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 2\r\n\r\nno"


@pytest.mark.parametrize(
    ("serve", "stays"),
    [
        pytest.param(always(REFUSED), True, id="kept"),
        pytest.param(
            once_and_close(REFUSED.replace(b"\r\nRetry", b"\r\nConnection: close\r\nRetry")),
            False,
            id="closed",
        ),
    ],
)
def test_a_request_that_is_refused_is_no_failure(
    serve: Callable[[Connection], object], stays: bool
) -> None:
    """503 with Retry-After is counted apart; its connection goes on where the server keeps it."""
    with RawServer(serve) as server:
        totals = drive_by_rate(server.port)
    assert (totals.answered, totals.refused, totals.failed) == (0, REQUESTS, 0)
    assert totals.errors == {}
    assert (server.accepted < REQUESTS) is stays


def test_a_503_that_says_no_time_is_a_failure() -> None:
    """Without Retry-After nobody has refused the request in good order."""
    with RawServer(always(REFUSED.replace(b"Retry-After", b"Other"))) as server:
        totals = drive_by_rate(server.port)
    assert (totals.refused, totals.failed) == (0, REQUESTS)
    assert totals.errors == {"bad status": REQUESTS}
