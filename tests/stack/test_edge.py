"""A stack behind a real edge: what it serves, what replacing and killing lose, how it ends."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from pathlib import Path

import pytest

from holdfast.model.errors import BadInput
from holdfast.model.values import Value
from holdfast.sizing.layout import Program
from holdfast.stack.process import StackProcess
from tests.edges import PROGRAMS
from tests.helpers import wait_until
from tests.stack.driving import (
    BUSY,
    Client,
    Log,
    answered,
    config,
    crowd,
    running,
    stop_beside,
    wait_for_in_flight,
)
from tests.stack.edges import SLOTS, behind

pytestmark = [pytest.mark.slow, pytest.mark.parametrize("program", PROGRAMS)]


def edge_pid(stack: StackProcess) -> int:
    """The edge's process, or the first of them, that was started last."""
    return [e.pid for e in stack.edge_events() if e.kind == "edge_started"][-1]


def different(stack: StackProcess) -> list[Value]:
    """What the stack runs with and was not asked for."""
    return [value for value in stack.effective() if value.configured is not None]


def test_requests_reach_every_worker(program: Program) -> None:
    """2,000 in flight are spread evenly over the slots, and all are answered."""
    with running(**behind(program)) as stack, crowd(stack.port, BUSY) as clients:
        wait_for_in_flight(stack, BUSY)
        held = [row.started - row.finished for row in stack.gauge.read()]
        assert max(held) <= 1.05 * BUSY / SLOTS
        assert answered(clients) == BUSY


def test_the_edges_processes_are_known(program: Program) -> None:
    """Every process of the edge is told by its id, nginx's master and each of its workers."""
    fields = behind(program)
    with running(**fields) as stack:
        expected = fields["edge"].hop.processes + (program == "nginx")
        wait_until(lambda: len(set(stack.edge_pids())) == expected)
        names = {Path(f"/proc/{pid}/comm").read_text().strip() for pid in stack.edge_pids()}
        assert names == {program}


def test_posts_on_kept_connections_survive_replacing(program: Program) -> None:
    """Clients that post again and again lose none while the only worker is replaced three times."""
    lost: list[object] = []
    over = threading.Event()

    def ask_on(port: int) -> None:
        client = Client(port)
        while not over.is_set():
            client.ask()
            client.finish()
            status, headers, _ = client.read()
            if status != 200:
                lost.append((status, headers))
            if headers.get("connection") == "close":  # of nginx, the thousandth
                client.close()
                client = Client(port)
        client.close()

    with running(**{**behind(program), "slots": 1}) as stack:
        threads = [threading.Thread(target=ask_on, args=(stack.port,)) for _ in range(8)]
        for thread in threads:
            thread.start()
        log = Log(stack)
        for count in range(1, 4):
            stack.replace(0)
            log.wait_for("stopped", count)
        over.set()
        for thread in threads:
            thread.join(30)
        assert lost == []
        assert stack.workers()[0].generation == 4


def test_a_killed_worker_loses_only_what_is_inside(program: Program) -> None:
    """Of 2,000 in flight those of the other worker are answered, and the slot serves again."""
    with running(**behind(program)) as stack, crowd(stack.port, BUSY) as clients:
        wait_for_in_flight(stack, BUSY)
        victim = stack.gauge.read()[0]
        os.kill(victim.pid, signal.SIGKILL)
        log = Log(stack)
        (died,) = log.wait_for("died")
        assert died.in_flight == victim.started - victim.finished
        assert answered(clients) == BUSY - died.in_flight
        with crowd(stack.port, 100) as later:
            assert answered(later) == 100


def test_connections_wait_while_there_is_no_worker(program: Program) -> None:
    """Between a worker's death and its successor nobody is refused: its socket stays."""
    with running(**{**behind(program), "slots": 1}) as stack:
        log = Log(stack)
        os.kill(stack.workers()[0].pid, signal.SIGKILL)
        log.wait_for("died")
        with crowd(stack.port, 200) as clients:
            assert answered(clients) == 200


def test_a_killed_edge_is_started_again(program: Program) -> None:
    """The port stays ours: who connects meanwhile is served by the next one."""
    with running(**behind(program)) as stack:
        first = edge_pid(stack)
        os.kill(first, signal.SIGKILL)
        wait_until(lambda: edge_pid(stack) != first)
        with crowd(stack.port, 200) as clients:
            assert answered(clients) == 200
        assert [e.kind for e in stack.edge_events()].count("edge_ready") == 2


def test_a_stop_finishes_what_is_in_flight(program: Program) -> None:
    """2,000 requests are answered while the stack stops, with exit code 0; the workers go last."""
    with running(**behind(program)) as stack, crowd(stack.port, BUSY) as clients:
        wait_for_in_flight(stack, BUSY)
        codes: list[int] = []
        thread = threading.Thread(target=lambda: codes.append(stack.stop()))
        thread.start()
        wait_until(lambda: any(e.kind == "edge_draining" for e in stack.edge_events()))
        assert answered(clients) == BUSY
        for client in clients:
            client.close()  # nginx gives 5 s to whoever has not, as it may be sending yet
        thread.join(30)
        assert codes == [0]
        gone_s = max(e.at_s for e in stack.edge_events() if e.kind == "edge_stopped")
        told = Log(stack).of("draining")
        assert [event.at_s > gone_s for event in told] == [True] * SLOTS


def test_who_is_let_in_while_it_stops_is_served(program: Program) -> None:
    """Clients that come one after the other are answered or not let in, and none is cut off."""
    cut: list[int] = []

    def come_on(port: int) -> None:
        while True:
            try:
                client = Client(port)
            except OSError:
                return
            with contextlib.closing(client.socket):
                with contextlib.suppress(ConnectionError):
                    client.get()
                cut.extend({client.status()} - {200})

    with running(**behind(program)) as stack:
        stop_beside(stack, come_on)
    assert cut == []


def test_the_edge_dies_with_its_supervisor(program: Program) -> None:
    """A supervisor that is killed leaves no process of the edge, and no folder."""
    with StackProcess(config(**behind(program))) as stack:
        stack.start()
        stack.wait_until_ready(60)
        pid, folder = edge_pid(stack), stack.serving.run_dir
        os.kill(stack.supervisor_pid, signal.SIGKILL)
        wait_until(lambda: not os.path.exists(f"/proc/{pid}") and not os.path.exists(folder))


def test_what_the_edge_runs_with_is_what_was_asked(program: Program) -> None:
    """Law 5: descriptors, backlog and HAProxy's own numbers are as in the plan."""
    with running(**behind(program)) as stack:
        assert {"backlog", "somaxconn"} < {value.setting for value in stack.effective()}
        assert different(stack) == []


def test_a_backlog_that_the_kernel_cuts_is_a_difference(program: Program) -> None:
    """Law 5: a plan made for a larger somaxconn than there is shows on the real socket."""
    cut = behind(program, somaxconn=100_000, burst=60_000)
    with running(**cut) as stack:
        differs = different(stack)
        assert {value.setting for value in differs} == {"backlog"}
        somaxconn = int(Path("/proc/sys/net/core/somaxconn").read_text())
        assert {value.value for value in differs} == {somaxconn}


def test_several_processes_hold_what_one_may_not(program: Program) -> None:
    """Where 1,500 descriptors a process are allowed, 2,000 in flight pass through more of them."""
    fields = behind(program, nofile=1_500)
    assert fields["edge"].hop.processes > SLOTS
    with running(**fields) as stack, crowd(stack.port, BUSY) as clients:
        wait_for_in_flight(stack, BUSY)
        assert different(stack) == []
        assert answered(clients) == BUSY


def test_an_edge_runs_as_nobody(program: Program) -> None:
    """Where the stack is root's, its edge is not."""
    with running(**behind(program)) as stack:
        status = Path(f"/proc/{edge_pid(stack)}/status").read_text().splitlines()
        told = {line.split(":")[0]: line.split()[1:] for line in status}
        assert "0" not in told["Uid"] + told["Gid"] + told["Groups"]


def test_a_missing_edge_is_named(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the program nothing starts, and the hint names its package."""
    monkeypatch.setattr("holdfast.stack.edge_process._SYSTEM", "")
    monkeypatch.setenv("PATH", "/nowhere")
    from holdfast.stack.edge_process import PROGRAMS as KNOWN
    from holdfast.stack.edge_process import found

    with pytest.raises(BadInput, match="is not installed") as caught:
        found(KNOWN[program])
    assert KNOWN[program].package in (caught.value.hint or "")
