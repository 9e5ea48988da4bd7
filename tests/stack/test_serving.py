"""What a running stack serves, and how exactly it counts."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from holdfast.stack.process import StackProcess
from tests.helpers import wait_until
from tests.stack.driving import (
    APPS,
    BUSY,
    Client,
    Log,
    answered,
    crowd,
    marked,
    running,
    wait_for_in_flight,
)

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def stack() -> Iterator[StackProcess]:
    """Yield a stack that the tests of this file share; none of them breaks it."""
    with running(env={"MARK": "of the test"}, in_flight=50_000) as stack:
        yield stack


def ask(port: int, path: str, *headers: str) -> tuple[int, dict[str, str], bytes]:
    client = Client(port)
    try:
        client.ask(path, *headers)
        client.finish()
        return client.read()
    finally:
        client.close()


def test_every_slot_answers(stack: StackProcess) -> None:
    """Connections are spread over the workers, and the stack knows both."""
    with crowd(stack.port, 100) as clients:
        for client in clients:
            client.finish()
        pids = {int(client.read()[2]) for client in clients}
    assert pids == {worker.pid for worker in stack.workers()}
    assert {worker.state for worker in stack.workers()} == {"ready"}


def test_a_worker_has_what_an_app_expects(stack: StackProcess) -> None:
    """The app's folder is its working folder and first on the path; its environment is as asked."""
    facts = json.loads(ask(stack.port, "/facts")[2])
    assert (facts["cwd"], facts["path"], facts["mark"]) == (str(APPS), str(APPS), "of the test")
    assert facts["environ"]["HOLDFAST_IN_FLIGHT"] == "50000"
    assert facts["environ"]["HOLDFAST_WORKERS"] == "2"
    assert facts["group"] == facts["pid"]


def test_a_worker_collects_in_step_with_what_it_holds(stack: StackProcess) -> None:
    """The collector walks held requests seldom: its threshold is a worker's share of the number."""
    facts = json.loads(ask(stack.port, "/facts")[2])
    assert facts["collector"] == [250_000, 5, 0, True]


def test_in_flight_is_exactly_what_clients_hold(stack: StackProcess) -> None:
    """The gauge shows each unanswered request, at once and over all workers, and then none."""
    with crowd(stack.port, BUSY) as clients:
        wait_for_in_flight(stack, BUSY)
        assert answered(clients[:500]) == 500
        wait_for_in_flight(stack, BUSY - 500)
        assert answered(clients[500:]) == BUSY - 500
        wait_for_in_flight(stack, 0)


def test_clients_that_vanish_leave_nothing_in_flight(stack: StackProcess) -> None:
    """Closing half of the connections leaves the other half, and closing all leaves none."""
    with crowd(stack.port, 200) as clients:
        wait_for_in_flight(stack, 200)
        for client in clients[:100]:
            client.close()
        wait_for_in_flight(stack, 100)
    wait_for_in_flight(stack, 0)


@pytest.mark.parametrize(("path", "good"), [("/raise", 0), ("/half", 0), ("/background", 50)])
def test_in_flight_ends_with_every_kind_of_end(stack: StackProcess, path: str, good: int) -> None:
    """An app that raises, leaves its answer half done, or works on: none stays counted."""
    with crowd(stack.port, 50, path) as clients:
        wait_for_in_flight(stack, 50)
        assert answered(clients) == good
        wait_for_in_flight(stack, 0)


def test_idle_clients_are_not_in_flight(stack: StackProcess) -> None:
    """A connection that has had its answer is open and not counted, and is served again."""
    with crowd(stack.port, 50) as clients:
        assert answered(clients) == 50
        wait_for_in_flight(stack, 0)
        for client in clients:
            client.ask()
        wait_for_in_flight(stack, 50)


def test_an_answer_carries_its_requests_nonce(stack: StackProcess) -> None:
    """The nonce header comes back; without one there is none."""
    nonce = ask(stack.port, "/", "x-holdfast-nonce: 0123456789abcdef")[1]
    assert nonce["x-holdfast-nonce"] == "0123456789abcdef"
    assert "x-holdfast-nonce" not in ask(stack.port, "/")[1]


def test_programs_of_the_app_inherit_no_socket(stack: StackProcess) -> None:
    """What an app starts, however carelessly, holds neither the port nor the control socket."""
    pid = int(ask(stack.port, "/fork")[2])
    folder = f"/proc/{pid}/fd"
    wait_until(lambda: Path(f"/proc/{pid}/comm").read_text() == "sleep\n")
    held = []
    for fd in os.listdir(folder):
        with contextlib.suppress(FileNotFoundError):  # a library that its loader has closed again
            held.append(os.readlink(f"{folder}/{fd}"))
    os.kill(pid, signal.SIGKILL)
    assert not [name for name in held if name.startswith("socket:")]


def test_a_fastapi_app_runs_unchanged() -> None:
    """An app with a lifespan starts up, and answers with what it was sent."""
    with running("fast:app", slots=1) as stack:
        status, _, body = ask(stack.port, "/ann")
    assert status == 200
    assert json.loads(body) == {"name": "ann", "body": "x", "started": True}


def test_started_and_ready_are_reported_for_each_slot() -> None:
    """The events of a start say which worker serves which slot."""
    with running() as stack:
        log = Log(stack)
        started = {(event.slot, event.pid) for event in log.wait_for("started", 2)}
        assert started == {(event.slot, event.pid) for event in log.wait_for("ready", 2)}
        assert {slot for slot, _ in started} == {0, 1}


def test_a_low_soft_limit_is_raised() -> None:
    """Started with 1,024 descriptors allowed, workers have as many as the hard limit allows."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    code = (
        "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (1024, %d))\n"
        "from tests.stack.driving import Client, running\n"
        "with running(slots=1, nofile=2000) as stack:\n"
        "    client = Client(stack.port); client.ask('/facts'); client.finish()\n"
        "    print(client.read()[2].decode())\n"
    )
    whole = code.replace("%d", str(hard))
    path = os.pathsep.join(filter(None, sys.path))
    done = subprocess.run(
        [sys.executable, "-c", whole],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["nofile"] == hard


def test_a_folder_that_was_given_keeps_the_logs(tmp_path_factory: pytest.TempPathFactory) -> None:
    """The run folder is private; a given one stays with what workers printed, without sockets."""
    folder = tmp_path_factory.mktemp("run")
    with running(slots=1, run_dir=str(folder)) as stack:
        with crowd(stack.port, 1, "/raise") as clients:
            answered(clients)
        assert stack.serving.run_dir == str(folder)
    assert "ValueError: as asked" in (folder / "slot-0.log").read_text()
    assert not list(folder.glob("*.sock"))


def test_nothing_is_left_after_a_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a stop there is no process and no run folder, even where the app started programs."""
    mark = f"mark-{os.urandom(8).hex()}"
    monkeypatch.setenv("HOLDFAST_TEST_MARK", mark)
    with running() as stack:
        ask(stack.port, "/fork")
        assert len(marked(mark)) >= 5  # supervisor, warden, two workers, the app's program
        assert stack.stop() == 0
        assert marked(mark) == set()
        assert not os.path.exists(stack.serving.run_dir)
