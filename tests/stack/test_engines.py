"""The kit that judges every engine alike: a real stack of each, with the same app in its interface.

Nothing here knows an engine but by its row of `wire.ENGINES`, and by how many requests it can hold.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from holdfast.model.errors import HoldfastError
from holdfast.sizing.layout import Program
from holdfast.stack.process import StackProcess
from holdfast.wire import ENGINES
from tests.edges import PROGRAMS
from tests.helpers import wait_until
from tests.stack.driving import (
    APPS,
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
from tests.stack.edges import behind

pytestmark = pytest.mark.slow

KIT = {"ASGI": "kit_asgi:app", "WSGI": "kit_wsgi:app", "Tornado": "kit_tornado:app"}
ROOM = {"sync": 1, "gthread": 20}
"""Requests that a worker is to hold here; an engine that caps is given so many, and no more."""
USUAL_ROOM = 100
BACKLOG = 237
EACH = pytest.mark.parametrize("engine", ENGINES)
CAPPED = pytest.mark.parametrize("engine", [name for name, row in ENGINES.items() if row.caps])
OTHERS = [
    (engine, interface)
    for engine, row in ENGINES.items()
    for interface in sorted({other.interface for other in ENGINES.values()})
    if interface != row.interface
]


def room(engine: str) -> int:
    return ROOM.get(engine, USUAL_ROOM)


def fields(engine: str, **others: Any) -> dict[str, Any]:
    """A stack of one worker that holds so many, with the kit's app."""
    row = ENGINES[engine]
    told = {"app": KIT[row.interface], "engine": engine, "slots": 1, "backlog": BACKLOG}
    return {**told, "cap": room(engine) if row.caps else 0, **others}


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


@EACH
def test_answers_are_those_of_the_app(engine: str) -> None:
    """GET, HEAD, POST by length and in chunks, and a stream are answered whole, and counted."""
    with running(**fields(engine)) as stack:
        check_answers(stack)


@EACH
@pytest.mark.parametrize("program", PROGRAMS)
def test_answers_behind_an_edge(engine: str, program: Program) -> None:
    """Behind a real edge the same is answered, and the app sees the client's own address."""
    with running(**{**fields(engine), **behind(program), "slots": 2}) as stack:
        check_answers(stack)
        with connected(stack) as connection:
            seen = said(connection, "GET", "/client")[1].split()[0]
        assert seen == (b"127.0.0.1" if ENGINES[engine].interface != "WSGI" else seen)


@EACH
def test_a_connection_is_kept(engine: str) -> None:
    """A client asks twice on one connection; sync, which keeps none, says so."""
    with running(**fields(engine)) as stack:
        client = Client(stack.port)
        with contextlib.closing(client.socket):
            client.get()
            status, headers, _ = client.read()
            assert status == 200
            if engine == "sync":
                assert headers["connection"] == "close"
                return
            client.get()
            assert client.status() == 200


@EACH
def test_requests_in_flight_are_counted_exactly(engine: str) -> None:
    """As many as are held are in flight, each once: those that are answered, raise or go away."""
    count = room(engine)
    with running(**fields(engine)) as stack:
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
        assert row.started == row.finished == count + 1


@CAPPED
def test_a_cap_is_kept(engine: str) -> None:
    """What comes past the cap is not in the app, waits, and is answered after the others."""
    count = room(engine)
    with running(**fields(engine)) as stack, crowd(stack.port, count) as clients:
        wait_for_in_flight(stack, count)
        with crowd(stack.port, 5) as more:
            for client in more:
                client.finish()
            assert stack.gauge.in_flight() == count
            for client in clients:
                client.finish()
            assert {client.status() for client in clients} == {200}
            for client in clients:
                client.close()
            assert {client.status() for client in more} == {200}
        assert stack.gauge.read()[0].started == count + 5


def granted(stack: StackProcess) -> set[int]:
    """The backlog of every listening socket of the port, as the kernel has it."""
    rows = subprocess.run(["ss", "-Hltn"], check=True, capture_output=True, text=True).stdout
    ends = (row.split() for row in rows.splitlines())
    return {int(end[2]) for end in ends if end[3].endswith(f":{stack.port}")}


@EACH
def test_the_backlog_is_what_was_asked_for(engine: str) -> None:
    """Once the engine serves, the kernel grants its socket what the stack asked for."""
    with running(**fields(engine)) as stack:
        assert granted(stack) == {BACKLOG}


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


@EACH
@pytest.mark.parametrize("listen", ["tcp", "slots"])
def test_a_worker_is_replaced_and_nothing_is_lost(engine: str, listen: str) -> None:
    """What the former worker holds is answered by it, and the next one serves meanwhile."""
    count = room(engine)
    with running(**fields(engine, listen=listen)) as stack, contextlib.ExitStack() as undo:
        to: Any = stack.port or os.path.join(stack.serving.run_dir, "slot-0.sock")
        clients = [Client(to) for _ in range(count)]
        for client in clients:
            undo.callback(client.close)
            client.ask()
        wait_for_in_flight(stack, count)
        log = Log(stack)
        stack.replace(0)
        log.wait_for("draining")
        later = Client(to)
        undo.callback(later.close)
        later.get()
        assert answered(clients) == count
        assert later.status() == 200
        (stopped,) = log.wait_for("stopped")
        assert (stopped.generation, stopped.status, log.of("died")) == (1, 0, [])


@EACH
def test_what_outlasts_the_grace_time_is_cut_and_counted(engine: str) -> None:
    """After the grace time what is left is cut: said how many, and the exit code is 1."""
    count = room(engine)
    with running(**fields(engine, grace_s=1.0)) as stack, crowd(stack.port, count) as clients:
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
        kept = Client(str(folder / "slot-0.sock"))
        with contextlib.closing(kept.socket):
            kept.ask()
            wait_for_in_flight(stack, 1)
            for path in (*folder.glob("w-0.*.sock"), *folder.glob("p-0.*.sock")):
                path.unlink()
            kept.finish()
            assert kept.status() == 200
        log = Log(stack)
        stack.replace(0)
        assert log.wait_for("stopped")[0].status == 0
        later = Client(str(folder / "slot-0.sock"))
        with contextlib.closing(later.socket):
            later.get()
            assert later.status() == 200
        assert log.of("died") == []


def refused(**told: Any) -> HoldfastError:
    with StackProcess(config(**told)) as stack:
        stack.start()
        with pytest.raises(HoldfastError) as caught:
            stack.wait_until_ready(60)
        return caught.value


@pytest.mark.parametrize(("engine", "interface"), OTHERS)
def test_an_app_of_another_interface_is_refused(engine: str, interface: str) -> None:
    """The hint names an engine that serves it."""
    error = refused(**fields(engine, app=KIT[interface]))
    assert f"`{KIT[interface]}` is a" in error.fault
    assert interface in error.fault
    named = [name for name in ENGINES if f"`--engine {name}`" in (error.hint or "")]
    assert {ENGINES[name].interface for name in named} == {interface}


FAILS = """
async def app(scope, receive, send):
    assert scope["type"] == "lifespan"
    await receive()
    {}
"""


@pytest.mark.parametrize("how", ["raise RuntimeError('no database')", "await send(FAILED)"])
@pytest.mark.parametrize(
    "engine", [name for name, row in ENGINES.items() if row.interface == "ASGI"]
)
def test_a_startup_that_fails_is_told(engine: str, how: str, tmp_path: Path) -> None:
    """An app whose lifespan fails at its start is not served, and why is said."""
    failed = 'FAILED = {"type": "lifespan.startup.failed", "message": "no database"}\n'
    (tmp_path / "failing.py").write_text(failed + FAILS.format(how))
    error = refused(**fields(engine, app="failing:app", app_dir=str(tmp_path)))
    assert "the app's startup" in error.fault
    assert "no database" in f"{error.fault} {error.hint}"


@pytest.mark.parametrize("engine", [name for name, row in ENGINES.items() if row.extra])
def test_a_missing_package_names_its_extra(engine: str, tmp_path: Path) -> None:
    """Where the engine's package cannot be imported, the extra that brings it is named."""
    name = ENGINES[engine].distribution
    (tmp_path / "sitecustomize.py").write_text(f"import sys\nsys.modules[{name!r}] = None\n")
    path = os.pathsep.join([str(tmp_path), *sys.path])
    error = refused(**fields(engine, env={"PYTHONPATH": path}))
    assert f"the engine `{engine}` needs `{name}`" in error.fault
    assert f"`holdfast[{ENGINES[engine].extra}]`" in (error.hint or "")


def test_an_engine_that_is_none_is_refused() -> None:
    """The names that there are stand in the hint."""
    error = refused(engine="eventlet")
    assert "no engine `eventlet`" in error.fault
    assert all(f"`{name}`" in (error.hint or "") for name in ENGINES)


@pytest.mark.parametrize("engine", [name for name, row in ENGINES.items() if not row.caps])
def test_a_cap_that_nobody_would_keep_is_refused(engine: str) -> None:
    """An engine without a cap is given none in silence."""
    error = refused(**fields(engine, cap=5))
    assert error.fault == f"the engine `{engine}` caps nothing"


def test_the_kits_apps_are_there() -> None:
    """Every interface of an engine has its app, and the kernel grants the kit's backlog."""
    apps = {KIT[row.interface].partition(":")[0] for row in ENGINES.values()}
    assert all((APPS / f"{app}.py").exists() for app in apps)
    assert socket.SOMAXCONN > BACKLOG
