"""The kit that judges every engine alike: a real stack of each, with the same app in its interface.

Nothing here knows an engine but by its row of `wire.ENGINES`, and by how many requests it can hold.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from holdfast.sizing.layout import Program
from holdfast.stack.process import StackProcess
from holdfast.wire import ENGINES
from tests.edges import PROGRAMS
from tests.helpers import wait_until
from tests.stack.claims import SPOOFED, seen
from tests.stack.driving import (
    Asking,
    Client,
    Log,
    answered,
    config,
    crowd,
    marked,
    running,
    stop_beside,
    stopping,
    wait_for_in_flight,
)
from tests.stack.edges import behind, open_sockets
from tests.stack.engines import BACKLOG, fields, room

pytestmark = pytest.mark.slow

EACH = pytest.mark.parametrize("engine", ENGINES)
SHARED = pytest.mark.parametrize("shared", ENGINES, indirect=True, scope="module")


class Shared(NamedTuple):
    """A stack of one engine for several questions: each leaves it with nothing in flight."""

    engine: str
    stack: StackProcess


@pytest.fixture(scope="module")
def shared(request: pytest.FixtureRequest) -> Iterator[Shared]:
    with running(**fields(request.param)) as stack:
        yield Shared(request.param, stack)


@contextlib.contextmanager
def connected(stack: StackProcess) -> Iterator[http.client.HTTPConnection]:
    connection = http.client.HTTPConnection("127.0.0.1", stack.port, timeout=30)
    with contextlib.closing(connection):
        yield connection


def said(
    connection: http.client.HTTPConnection, method: str, path: str, body: Any = None, **how: Any
) -> tuple[int, bytes]:
    """Status and body of an answer to a request whose nonce came back."""
    connection.request(method, path, body, {"x-holdfast-nonce": "n-1"}, **how)
    answer = connection.getresponse()
    assert answer.getheader("x-holdfast-nonce") == "n-1"
    return answer.status, answer.read()


def check_answers(stack: StackProcess) -> None:
    """Methods, bodies by length and in chunks, both ways; every one counted once."""
    pids = {worker.pid for worker in stack.workers()}
    before = sum(row.started for row in stack.gauge.read())
    with connected(stack) as connection:
        status, body = said(connection, "GET", "/")
        assert (status, int(body) in pids) == (200, True)
        assert said(connection, "HEAD", "/echo") == (200, b"")
        assert said(connection, "POST", "/echo", b"x" * 70_000) == (200, b"x" * 70_000)
        chunks = iter([b"in ", b"chunks"])
        assert said(connection, "POST", "/echo", chunks, encode_chunked=True) == (200, b"in chunks")
        assert said(connection, "GET", "/stream") == (200, b"onetwothree")
    wait_for_in_flight(stack, 0)
    assert sum(row.started for row in stack.gauge.read()) == before + 5


@SHARED
def test_answers_are_those_of_the_app(shared: Shared) -> None:
    """GET, HEAD, POST by length and in chunks, and a stream are answered whole, and counted."""
    check_answers(shared.stack)


@EACH
@pytest.mark.parametrize("program", PROGRAMS)
def test_answers_behind_an_edge(engine: str, program: Program) -> None:
    """Behind a real edge the same is answered, and the app sees the client's own address and scheme
    as the edge says, whatever the client claims."""
    with running(**{**fields(engine), **behind(program), "slots": 2}) as stack:
        check_answers(stack)
        assert seen(stack.port) == seen(stack.port, *SPOOFED) == ("127.0.0.1", "http")
        for header in SPOOFED:
            assert seen(stack.port, header, header) == ("127.0.0.1", "http"), header


@SHARED
def test_a_connection_is_kept(shared: Shared) -> None:
    """A client asks twice on one connection; sync, which keeps none, says so."""
    client = Client(shared.stack.port)
    with contextlib.closing(client.socket):
        client.get()
        status, headers, _ = client.read()
        assert status == 200
        if shared.engine == "sync":
            assert headers["connection"] == "close"
            return
        client.get()
        assert client.status() == 200


@SHARED
def test_a_client_that_leaves_is_forgotten(shared: Shared) -> None:
    """Idle clients that close leave the worker with as many sockets as before, not some time
    later."""
    (worker,) = shared.stack.workers()
    before = open_sockets(worker.pid)
    clients = [Client(shared.stack.port) for _ in range(1 if shared.engine == "sync" else 10)]
    for client in clients:
        client.get()
        assert client.status() == 200
    for client in clients:
        client.close()
    wait_until(lambda: open_sockets(worker.pid) <= before, what="no socket more")


@SHARED
def test_requests_in_flight_are_counted_exactly(shared: Shared) -> None:
    """As many as are held are in flight, each once: those that are answered, raise or go away."""
    engine, stack = shared
    count = room(engine)
    started = stack.gauge.read()[0].started
    with crowd(stack.port, count) as clients:
        wait_for_in_flight(stack, count)
        half = clients[: count // 2]
        assert answered(half) == len(half)
        wait_for_in_flight(stack, count - len(half))
        for client in clients:
            client.close()
        wait_for_in_flight(stack, 0)
    with crowd(stack.port, 1, "/raise") as (client,):
        wait_for_in_flight(stack, 1)
        client.finish()
        assert client.status() in {0, 500}
    wait_for_in_flight(stack, 0)
    (row,) = stack.gauge.read()
    assert row.started == row.finished == started + count + 1


@SHARED
def test_a_cap_is_kept(shared: Shared) -> None:
    """What comes past the cap is not in the app, waits, and is answered after the others; an engine
    without a cap takes all of it."""
    engine, stack = shared
    count = room(engine)
    started = stack.gauge.read()[0].started
    with crowd(stack.port, count) as clients:
        wait_for_in_flight(stack, count)
        with crowd(stack.port, 5) as more:
            for client in more:
                client.finish()
            if ENGINES[engine].caps:
                assert stack.gauge.in_flight() == count
            else:
                assert [client.status() for client in more] == [200] * 5
            for client in clients:
                client.finish()
            for client in (*clients, *more[: 5 * bool(ENGINES[engine].caps)]):
                assert client.status() == 200
                client.close()
    assert stack.gauge.read()[0].started == started + count + 5


def granted(stack: StackProcess) -> set[int]:
    """The backlog of every listening socket of the port, as the kernel has it."""
    rows = subprocess.run(["ss", "-Hltn"], check=True, capture_output=True, text=True).stdout
    ends = (row.split() for row in rows.splitlines())
    return {int(end[2]) for end in ends if end[3].endswith(f":{stack.port}")}


@SHARED
def test_the_backlog_is_what_was_asked_for(shared: Shared) -> None:
    """Once the engine serves, the kernel grants its socket what the stack asked for."""
    assert granted(shared.stack) == {BACKLOG}


def test_gthread_waits_for_all_clients_to_close_at_once() -> None:
    """20 that stay connected after an answer that closes delay nobody: gunicorn's own worker waits
    2 s for each of them, one after the other."""
    count = room("gthread")
    with running(**fields("gthread")) as stack, contextlib.ExitStack() as undo:
        clients = [Client(stack.port) for _ in range(count)]
        for client in clients:
            undo.callback(client.close)
            client.ask("/", "connection: close")
        wait_for_in_flight(stack, count)
        for client in clients:
            client.finish()
        assert {client.status() for client in clients} == {200}
        later = Client(stack.port)
        undo.callback(later.close)
        later.get()
        assert later.status() == 200


@EACH
def test_a_stop_finishes_what_is_in_flight_and_what_waits(engine: str) -> None:
    """Requests that are held, and those in the accept queue, are answered; idle clients do not
    delay the end, and the exit code is 0."""
    count = room(engine)
    with running(**fields(engine)) as stack, contextlib.ExitStack() as undo:
        idle = () if engine == "sync" else [Client(stack.port) for _ in range(3)]
        for client in idle:
            undo.callback(client.close)
        clients = undo.enter_context(crowd(stack.port, count - len(idle)))
        wait_for_in_flight(stack, count - len(idle))
        (worker,) = stack.workers()
        os.kill(worker.pid, signal.SIGSTOP)
        waiting = undo.enter_context(crowd(stack.port, 20))
        with stopping(stack) as codes:
            os.kill(worker.pid, signal.SIGCONT)
            for client in (*clients, *waiting):
                client.finish()
            statuses = []
            for client in (*clients, *waiting):
                statuses.append(client.status())
                client.close()  # as told to: gunicorn waits for it, up to 2 s
        assert statuses == [200] * (len(clients) + 20)
        assert codes == [0]
        assert [event.status for event in Log(stack).of("stopped")] == [0]


@EACH
def test_busy_clients_lose_no_request_in_a_stop(engine: str) -> None:
    """A client that always asks again is answered until it is told to close; then it is refused."""
    asking = Asking()
    with running(**fields(engine)) as stack:
        stop_beside(stack, asking.come, 4)
    assert asking.lost == []
    assert asking.told


def check_replacing(
    stack: StackProcess, count: int, to: int | str, gone: Iterable[Path] = ()
) -> None:
    """Replace a worker that holds so many; another client comes meanwhile, and `gone` are removed
    before."""
    with crowd(to, count) as clients, contextlib.ExitStack() as undo:
        wait_for_in_flight(stack, count)
        for path in gone:
            path.unlink()
        log = Log(stack)
        stack.replace(0)
        log.wait_for("draining")
        later = Client(to)
        undo.callback(later.close)
        later.get()
        assert answered(clients) == count
        assert later.status() == 200
        later.close()  # sync waits for it, up to 2 s
        (stopped,) = log.wait_for("stopped")
        assert (stopped.generation, stopped.status, log.of("died")) == (1, 0, [])


@EACH
def test_a_worker_is_replaced_and_nothing_is_lost(engine: str) -> None:
    """What the former worker holds is answered by it, and the next one serves meanwhile."""
    with running(**fields(engine)) as stack:
        check_replacing(stack, room(engine), stack.port)


@EACH
def test_what_outlasts_the_grace_time_is_cut_and_counted(engine: str) -> None:
    """After the grace time what is left is cut: said how many, and the exit code is 1."""
    count = room(engine)
    with running(**fields(engine, grace_s=0.5)) as stack, crowd(stack.port, count) as clients:
        wait_for_in_flight(stack, count)
        log = Log(stack)
        assert stack.stop() == 1
        assert sum(event.in_flight for event in log.of("cut")) == count
        assert [event.status for event in log.of("stopped")] == [0]
        assert not {client.status() for client in clients} & {200}


@EACH
def test_a_worker_dies_with_its_supervisor(engine: str, mark: str) -> None:
    """A supervisor that is killed while requests are in flight leaves no process after 2 s."""
    count = room(engine)
    with StackProcess(config(**fields(engine))) as stack:
        stack.start()
        stack.wait_until_ready(60)
        with crowd(stack.port, count):
            wait_for_in_flight(stack, count)
            os.kill(stack.supervisor_pid, signal.SIGKILL)
            wait_until(lambda: not marked(mark), ceiling_s=2, what="no process left")


@EACH
def test_a_worker_survives_the_loss_of_its_socket_path(engine: str) -> None:
    """Without its path a worker answers what it has, and its successor is reached by a new one."""
    with running(**fields(engine, listen="slots")) as stack:
        folder = Path(stack.serving.run_dir)
        gone = [*folder.glob("w-0.*.sock"), *folder.glob("p-0.*.sock")]
        assert len(gone) == 2
        check_replacing(stack, room(engine), str(folder / "slot-0.sock"), gone)
