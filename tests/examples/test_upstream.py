"""The shop's upstream, as a real program: what it answers, holds, and leaves behind."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import statistics
from collections.abc import Callable
from pathlib import Path

import pytest
import uvloop

from tests.examples.running import (
    CEILING_S,
    EXAMPLES,
    ask,
    counts,
    dial,
    get,
    hear,
    is_gone,
    load,
    raise_nofile,
    running,
    running_upstream,
    state,
)
from tests.helpers import free_port, wait_until

AT_ONCE = ("--mean", "0.001", "--sigma", "0")
HELD = ("--mean", "600", "--sigma", "0.25")


class Written:
    """A transport that keeps what is written to it."""

    def __init__(self) -> None:
        self.answers: list[bytes] = []

    def write(self, data: bytes) -> None:
        self.answers.append(data)


@pytest.mark.slow
@pytest.mark.parametrize("sigma", [0.0, 0.25, 0.5])
def test_the_mean_is_the_one_asked_for(sigma: float) -> None:
    """200,000 draws average within 2 % of the mean, whatever the spread."""
    draw = load("shop/upstream.py").lognormal(20.0, sigma, random.Random(7))
    assert statistics.fmean(draw() for _ in range(200_000)) == pytest.approx(20.0, rel=0.02)


def test_the_same_seed_draws_the_same_times() -> None:
    """Two samplers of one seed agree, and one of another seed does not."""
    lognormal = load("shop/upstream.py").lognormal
    draws = [lognormal(20.0, 0.25, random.Random(seed)) for seed in (7, 7, 8)]
    first, again, other = ([draw() for _ in range(5)] for draw in draws)
    assert first == again
    assert first != other


@pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_a_request_may_come_while_an_answer_is_overdue(
    new_loop: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    """On either loop: a process that fell behind takes new requests, and answers them all."""
    upstream = load("shop/upstream.py")
    loop = new_loop()
    late_s = iter([-1.0, -2.0, -0.5, 0.0])
    desk = upstream.Desk(loop, lambda: next(late_s))
    clerks = [upstream.Clerk(desk) for _ in range(4)]

    async def answer_all() -> None:
        for clerk in clerks:
            clerk.transport = Written()
            clerk.data_received(b"GET /products/1 HTTP/1.1\r\n\r\n")
        while desk.held:
            await asyncio.sleep(0)

    try:
        loop.run_until_complete(asyncio.wait_for(answer_all(), CEILING_S))
    finally:
        loop.close()
    assert [len(clerk.transport.answers) for clerk in clerks] == [1] * 4


@pytest.mark.slow
def test_records_are_answered_and_counted(tmp_path: Path) -> None:
    """Products and suppliers are JSON, other paths a 404, and calls are counted by kind."""
    with running_upstream(tmp_path, *AT_ONCE) as upstream, dial(upstream.ports[0]) as client:
        replies = []
        for path in ("/products/3", "/suppliers/4", "/products/x", "/health", "/products/3"):
            ask(client, path)
            replies.append(hear(client))
        seen = counts(upstream)
    assert [reply.status for reply in replies] == [200, 200, 404, 200, 200]
    assert replies[0].body == {"id": 3, "name": "Product 3", "price_cents": 23_857}
    assert replies[1].body == {"id": 4, "name": "Supplier 4", "stock": 916}
    assert tuple(seen[k] for k in ("products", "suppliers", "held", "most_held")) == (2, 1, 0, 1)


@pytest.mark.slow
@pytest.mark.parametrize(
    "request_bytes",
    [
        b"nonsense\r\n\r\n",
        b"POST /products/1 HTTP/1.1\r\n\r\n",
        b"GET /products/1 HTTP/1.0\r\n\r\n",
        b"GET /health HTTP/1.1\r\n\r\nGET /health HTTP/1.1\r\n\r\n",
        b"x" * 9000,
    ],
)
def test_a_malformed_request_is_a_400_and_closes(tmp_path: Path, request_bytes: bytes) -> None:
    """What is not one GET request is answered 400, and the connection ends."""
    with running_upstream(tmp_path, *AT_ONCE) as upstream, dial(upstream.ports[0]) as client:
        client.sendall(request_bytes)
        reply = hear(client)
        assert (reply.status, reply.headers["connection"]) == (400, "close")
        assert client.recv(1) == b""


@pytest.mark.slow
def test_a_second_request_before_the_answer_is_a_400_and_is_no_longer_held(tmp_path: Path) -> None:
    """There is no pipelining: the connection ends, and the held count with it."""
    with running_upstream(tmp_path, *HELD) as upstream, dial(upstream.ports[0]) as client:
        ask(client, "/products/1")
        wait_until(lambda: counts(upstream)["held"] == 1)
        ask(client, "/products/2")
        assert hear(client).status == 400
        assert counts(upstream)["held"] == 0


@pytest.mark.slow
def test_a_request_may_come_in_pieces(tmp_path: Path) -> None:
    """A head that is cut between two packets is one request, and `connection: close` is obeyed."""
    with running_upstream(tmp_path, *AT_ONCE) as upstream, dial(upstream.ports[0]) as client:
        client.sendall(b"GET /products/3 HTTP/1.1\r\nho")
        wait_until(lambda: counts(upstream)["connections"] == 2)  # ours, and the one that asks
        client.sendall(b"st: x\r\nConnection: Close\r\n\r\n")
        assert hear(client).status == 200
        assert client.recv(1) == b""


@pytest.mark.slow
def test_two_thousand_requests_are_held_by_one_process(tmp_path: Path) -> None:
    """2,000 unanswered requests are counted as held, and not one more when their clients leave."""
    raise_nofile()
    with running_upstream(tmp_path, *HELD) as upstream:
        clients = [dial(upstream.ports[0]) for _ in range(2_000)]
        for number, client in enumerate(clients):
            ask(client, f"/products/{number}")
        wait_until(lambda: counts(upstream)["held"] == 2_000, what="2,000 are held")
        for client in clients:
            client.close()
        wait_until(lambda: counts(upstream)["held"] == 0, what="none is held")
        seen = counts(upstream)
    assert (seen["products"], seen["most_held"]) == (2_000, 2_000)


@pytest.mark.slow
def test_two_thousand_answers_come_back(tmp_path: Path) -> None:
    """2,000 requests held at once are each answered with their own record."""
    raise_nofile()
    with running_upstream(tmp_path, "--mean", "0.5") as upstream:
        clients = [dial(upstream.ports[0]) for _ in range(2_000)]
        for number, client in enumerate(clients):
            ask(client, f"/products/{number}")
        numbers = [hear(client).body["id"] for client in clients]
        for client in clients:
            client.close()
        seen = counts(upstream)
    assert list(range(2_000)) == numbers
    assert (seen["products"], seen["held"]) == (2_000, 0)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_stops_cleanly_with_requests_held(tmp_path: Path, number: signal.Signals) -> None:
    """SIGTERM and SIGINT end every process at once, with exit code 0 and no complaint."""
    with running_upstream(tmp_path, *HELD, processes=2) as upstream:
        children = upstream.children()
        with dial(upstream.ports[0]) as client:
            ask(client, "/products/1")
            wait_until(lambda: counts(upstream)["held"] == 1)
            upstream.process.send_signal(number)
            code = upstream.process.wait(CEILING_S)
        assert (code, upstream.stderr.read_text()) == (0, "")
        assert [is_gone(pid) for pid in children] == [True, True]


@pytest.mark.slow
def test_no_child_outlives_a_killed_parent(tmp_path: Path) -> None:
    """After SIGKILL of the parent no child runs."""
    with running_upstream(tmp_path, *HELD, processes=3) as upstream:
        children = upstream.children()
        assert len(children) == 3
        upstream.process.kill()
        upstream.process.wait(CEILING_S)
        wait_until(lambda: all(is_gone(pid) for pid in children), what="the children are gone")


@pytest.mark.slow
def test_a_child_that_ends_ends_the_whole_service(tmp_path: Path) -> None:
    """A killed child is exit code 1, and its sibling is stopped too."""
    with running_upstream(tmp_path, *HELD, processes=2) as upstream:
        first, second = upstream.children()
        os.kill(first, signal.SIGKILL)
        assert upstream.process.wait(CEILING_S) == 1
        assert is_gone(second)


@pytest.mark.slow
def test_a_child_that_is_paused_has_not_ended(tmp_path: Path) -> None:
    """SIGSTOP and SIGCONT of a child leave the service as it was."""
    with running_upstream(tmp_path, *AT_ONCE) as upstream:
        (child,) = upstream.children()
        for _ in range(3):
            os.kill(child, signal.SIGSTOP)
            wait_until(lambda: state(child) == "T")
            os.kill(child, signal.SIGCONT)
            assert get(upstream.ports[0], "/products/1").status == 200
        assert upstream.process.poll() is None


@pytest.mark.slow
def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    """A second service on one port ends with exit code 1 and names the address."""
    port = free_port()
    command = [str(EXAMPLES / "shop/upstream.py"), "--ports", str(port)]
    with (
        running_upstream(tmp_path, *HELD, ports=[port]),
        running(command, [port], tmp_path) as second,
    ):
        code = second.process.wait(CEILING_S)
        log = second.stderr.read_text()
    assert (1, f"upstream: cannot listen on 127.0.0.1:{port}: Address already in use\n") == (
        code,
        log,
    )


@pytest.mark.slow
def test_it_raises_its_limit_of_open_files(tmp_path: Path) -> None:
    """--nofile sets the soft limit of every process that holds connections."""
    with running_upstream(tmp_path, *HELD, "--nofile", "900") as upstream:
        (child,) = upstream.children()
        limits = Path(f"/proc/{child}/limits").read_text()
        assert get(upstream.ports[0], "/health").status == 200
    (line,) = [line for line in limits.splitlines() if line.startswith("Max open files")]
    assert line.split()[3] == "900"
