"""A process of the edge, or a worker behind it, that is killed or stopped for a while."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from holdfast.load.fleet import Fleet
from holdfast.sizing.layout import Program
from holdfast.stack.config import EdgeEvent
from holdfast.stack.process import StackProcess
from tests.edges import INSTALLED, PROGRAMS
from tests.helpers import wait_until
from tests.load.servers import check_accounts, load_plan
from tests.stack.driving import (
    BUSY,
    Client,
    Log,
    answered,
    crowd,
    readable,
    running,
    wait_for_in_flight,
)
from tests.stack.edges import behind

pytestmark = pytest.mark.slow

ESTABLISHED = "01"
RETURN_S = 2.0
"""Within which the service is back: the issue's own figure."""
GATED = {"GATE": "{run_dir}/gate"}
WAIT = str(Path(__file__).parents[2] / "examples" / "wait")


class Victim:
    """One kind of process of an edge: how the edge is sized, and which events tell of it."""

    def __init__(self, program: Program, nofile: int, died: str, back: str) -> None:
        self.fields: Callable[[], dict[str, Any]] = lambda: behind(program, nofile=nofile)
        self._died, self._back = died, back

    def pid(self, stack: StackProcess) -> int:
        """The one that is there longest."""
        told = stack.edge_events()
        gone = {event.pid for event in told if event.kind == self._died}
        start = self._back.replace("ready", "started")
        return next(e.pid for e in told if e.kind == start and e.pid not in gone)

    def deaths(self, stack: StackProcess, count: int) -> list[tuple[EdgeEvent, EdgeEvent]]:
        """The first `count` deaths, each with what came back after it, once they have come."""

        def found() -> list[tuple[EdgeEvent, EdgeEvent]]:
            told = stack.edge_events()
            return [
                (event, back)
                for n, event in enumerate(told)
                if event.kind == self._died
                for back in [e for e in told[n:] if e.kind == self._back][:1]
            ]

        return wait_until(lambda: pairs if len(pairs := found()) >= count else None, what="back")


def victim(name: str, program: Program, nofile: int, died: str, back: str) -> Any:
    skip = pytest.mark.skipif(not INSTALLED[program], reason=f"{program} is not installed")
    return pytest.param(Victim(program, nofile, died, back), marks=skip, id=name)


WHOLE, WORKER = ("edge_died", "edge_ready"), ("edge_worker_died", "edge_worker_started")
MASTER = victim("nginx", "nginx", 20_000, *WHOLE)
SERVING = [
    victim("nginx worker", "nginx", 20_000, *WORKER),
    victim("haproxy", "haproxy", 20_000, *WHOLE),
    victim("haproxy of several", "haproxy", 1_500, *WHOLE),
]
every = pytest.mark.parametrize("killed", [MASTER, *SERVING])


def held_by(pid: int, port: int) -> int:
    """Connections to the port that a process, and those that it has started, hold open."""
    table = map(str.split, Path("/proc/net/tcp").read_text().splitlines()[1:])
    at_port = (f for f in table if f[1].endswith(f":{port:04X}") and f[3] == ESTABLISHED)
    inodes = {f"socket:[{fields[9]}]" for fields in at_port}
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    held = 0
    for folder in (f"/proc/{process}/fd" for process in (pid, *children)):
        for fd in os.listdir(folder):
            with contextlib.suppress(FileNotFoundError):  # closed meanwhile
                held += os.readlink(f"{folder}/{fd}") in inodes
    return held


def begun(stack: StackProcess) -> tuple[int, int]:
    """Requests that the app has started and finished."""
    rows = stack.gauge.read()
    return sum(row.started for row in rows), sum(row.finished for row in rows)


@every
def test_a_killed_process_loses_what_it_held_and_no_more(killed: Victim) -> None:
    """Of 2,000 in flight those of other processes are answered, and in 2 s there is service."""
    with running(**killed.fields()) as stack, crowd(stack.port, BUSY) as clients:
        wait_for_in_flight(stack, BUSY)
        pid = killed.pid(stack)
        held = held_by(pid, stack.port)
        assert 0 < held <= BUSY
        os.kill(pid, signal.SIGKILL)
        ((died, back),) = killed.deaths(stack, 1)
        assert died.pid == pid
        assert back.at_s - died.at_s < RETURN_S
        wait_for_in_flight(stack, BUSY - held)
        assert answered(clients) == BUSY - held
        with crowd(stack.port, 200) as later:
            assert answered(later) == 200
        assert begun(stack) == (BUSY + 200, BUSY + 200)


@pytest.mark.parametrize("killed", [SERVING[0], SERVING[2]])
def test_clients_that_come_back_at_once_find_places(killed: Victim) -> None:
    """Those of a killed process ask again in the same instant, and no other one has too many."""
    with running(**killed.fields()) as stack, crowd(stack.port, BUSY) as clients:
        wait_for_in_flight(stack, BUSY)
        pid = killed.pid(stack)
        held = held_by(pid, stack.port)
        os.kill(pid, signal.SIGKILL)
        with crowd(stack.port, held) as back:
            wait_for_in_flight(stack, BUSY)
            assert answered(back) == held
        assert answered(clients) == BUSY - held


@every
def test_requests_whose_clients_are_gone_are_finished_once(killed: Victim) -> None:
    """The app goes on with 2,000 requests while their edge dies, and begins none of them twice."""
    fields = {"env": GATED, **killed.fields()}
    with running("gated:app", **fields) as stack, crowd(stack.port, BUSY) as clients:
        wait_for_in_flight(stack, BUSY)
        pid = killed.pid(stack)
        held = held_by(pid, stack.port)
        os.kill(pid, signal.SIGKILL)
        killed.deaths(stack, 1)
        assert stack.gauge.in_flight() == BUSY
        Path(stack.serving.run_dir, "gate").touch()
        assert answered(clients) == BUSY - held
        wait_for_in_flight(stack, 0)
        assert begun(stack) == (BUSY, BUSY)


@every
def test_five_deaths_in_a_row_neither_stop_nor_leak(killed: Victim) -> None:
    """Each time there is service within 2 s, and in the end nothing more is open or left."""
    with running(**killed.fields()) as stack, crowd(stack.port, BUSY) as clients:
        wait_for_in_flight(stack, BUSY)
        before, held = belongings(stack), 0
        for count in range(1, 6):
            pid = killed.pid(stack)
            held += held_by(pid, stack.port)
            os.kill(pid, signal.SIGKILL)
            died, back = killed.deaths(stack, count)[-1]
            assert back.at_s - died.at_s < RETURN_S
            with crowd(stack.port, 20) as later:
                assert answered(later) == 20
        assert answered(clients) == BUSY - held
        wait_until(lambda: belongings(stack) == before, what=f"{before}")


def belongings(stack: StackProcess) -> tuple[int, list[str], int]:
    """The supervisor's descriptors, the files of its run folder, and the edge's processes."""
    pid, folder = stack.supervisor_pid, Path(stack.serving.run_dir)
    files = sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    grandchildren = [Path(f"/proc/{c}/task/{c}/children").read_text().split() for c in children]
    return len(os.listdir(f"/proc/{pid}/fd")), files, len(children) + sum(map(len, grandchildren))


@pytest.mark.parametrize("stopped", SERVING)
def test_a_process_that_stands_still_for_a_while_loses_nothing(stopped: Victim) -> None:
    """Stopped until the app has answered all that it held of 2,000, and then told to go on."""
    fields = {"app": "wait:app", "app_dir": WAIT, "env": {"WAIT_MEAN_S": "1"}, **stopped.fields()}
    with (
        running(**fields) as stack,
        Fleet(load_plan(stack.port, path="/", clients=BUSY, processes=1)) as fleet,
    ):
        fleet.start()
        fleet.allow(BUSY, 0)
        wait_until(lambda: fleet.read().answered > BUSY)
        pid = stopped.pid(stack)
        held = held_by(pid, stack.port)
        os.kill(pid, signal.SIGSTOP)
        wait_until(lambda: fleet.read().in_flight - stack.gauge.in_flight() > 0.9 * held)
        os.kill(pid, signal.SIGCONT)
        seen = fleet.read().answered
        wait_until(lambda: fleet.read().answered > seen + 2 * BUSY)
        totals = fleet.let_go(30.0)
        check_accounts(totals)
        assert (totals.failed, totals.unfinished, totals.errors) == (0, 0, {})
        assert begun(stack) == (totals.sent, totals.sent)


@pytest.mark.parametrize("program", PROGRAMS)
def test_no_worker_is_given_what_another_had_begun(program: Program) -> None:
    """A killed worker's requests are refused with 502, GETs too: each is begun once at most."""
    fields = {"env": GATED, "grace_s": 0.1, **behind(program)}
    with running("gated:app", **fields) as stack, contextlib.ExitStack() as undo:
        clients = []
        for _ in range(BUSY):
            clients.append(Client(stack.port))
            undo.callback(clients[-1].close)
            clients[-1].get()
        wait_for_in_flight(stack, BUSY)
        victim, other = stack.gauge.read()
        os.kill(victim.pid, signal.SIGKILL)
        log = Log(stack)
        (died,) = log.wait_for("died")
        log.wait_for("ready", 3)
        wait_until(lambda: len(readable(clients)) >= died.in_flight)
        assert [client.status() for client in readable(clients)] == [502] * died.in_flight
        assert {row.started for row in stack.gauge.read()} == {other.started, 0}
