"""Fleets against uvicorn: what they hold, that they judge themselves, and that nothing is lost."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from holdfast.load.fleet import Fleet
from holdfast.model.errors import HoldfastError
from tests.helpers import wait_until
from tests.load.servers import Uvicorn, check_accounts, load_plan

pytestmark = pytest.mark.slow

HELD = 2_000
STARTED_AND_LEFT = """
import os, sys, time
from holdfast.load.fleet import Fleet
from tests.load.servers import load_plan
fleet = Fleet(load_plan(int(sys.argv[1]), path="/wait", clients=4, processes=2))
fleet.start()
fleet.allow(4, 0)
print(*fleet.pids, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def server() -> Iterator[Uvicorn]:
    with Uvicorn() as uvicorn:
        yield uvicorn


def is_running(pid: int) -> bool:
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False


def private_bytes(pid: int) -> int:
    match = re.search(r"RssAnon:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert match
    return int(match[1]) * 1024


def test_a_fleet_holds_what_the_app_counts(server: Uvicorn) -> None:
    """2,000 clients wait in the app at once, by its own count; released, every one is answered."""
    plan = load_plan(
        server.port, path="/wait", clients=HELD, idle=100, idle_path="/idle", processes=2
    )
    with Fleet(plan) as fleet:
        fleet.start()
        fleet.allow(HELD // 2, 0)
        wait_until(lambda: server.state() == (HELD // 2, 0, 0))
        fleet.allow(HELD, 100)
        wait_until(lambda: server.state() == (HELD, 0, 100) and fleet.read().idle == 100)
        sample = fleet.read()
        assert (sample.in_flight, sample.connected, sample.opening) == (HELD, HELD, 0)
        assert (sample.sent, sample.answered, sample.failed, sample.dead) == (HELD, 0, 0, 0)
        server.get("/release")
        wait_until(lambda: fleet.read().answered > 3 * HELD)
        assert fleet.read().in_flight == HELD
        totals = fleet.let_go(30.0)
    check_accounts(totals)
    assert (totals.failed, totals.unfinished, totals.unsent, totals.errors) == (0, 0, 0, {})
    assert server.state() == (totals.sent, totals.answered, 100)
    assert totals.lag.count > 0
    assert len(totals.cpu_s) == 2


def test_a_fleet_that_lets_go_leaves_the_rest_unfinished(server: Uvicorn) -> None:
    """Without grace, requests that the app holds are unfinished, and their clients are gone."""
    plan = load_plan(server.port, path="/wait", clients=50, processes=3)
    with Fleet(plan) as fleet:
        fleet.start()
        fleet.allow(50, 0)
        wait_until(lambda: fleet.read().in_flight == 50)
        totals = fleet.let_go(0.0)
        assert not any(map(is_running, fleet.pids))
        assert fleet.let_go(0.0) == totals
    check_accounts(totals)
    assert (totals.intended, totals.unfinished) == (50, 50)


def test_a_grace_time_lets_requests_finish(server: Uvicorn) -> None:
    """While a fleet lets go, answers still come in, and nothing is sent again."""
    plan = load_plan(server.port, path="/wait", clients=50)
    with Fleet(plan) as fleet:
        fleet.start()
        fleet.allow(50, 0)
        wait_until(lambda: server.state()[0] == 50)
        looks: list[int] = []

        def release_at_the_third_look() -> None:
            looks.append(fleet.read().in_flight)
            if len(looks) == 3:
                server.get("/release")

        totals = fleet.let_go(30.0, on_wait=release_at_the_third_look)
    assert looks[:3] == [50] * 3
    check_accounts(totals)
    assert (totals.sent, totals.answered, totals.unfinished) == (50, 50, 0)
    assert server.state() == (50, 50, 0)


def test_a_stopped_process_shows_its_lag(server: Uvicorn) -> None:
    """A process that does not run is late while it is stopped, and has lost time afterwards."""
    with Fleet(load_plan(server.port, path="/wait", clients=10)) as fleet:
        fleet.start()
        fleet.allow(10, 0)
        wait_until(lambda: fleet.read().in_flight == 10)
        os.kill(fleet.pids[0], signal.SIGSTOP)
        wait_until(lambda: fleet.read().lag_s_max > 0.5)
        assert fleet.read().lag_lost_s[0] > 0.4
        os.kill(fleet.pids[0], signal.SIGCONT)
        wait_until(lambda: fleet.read().lag_s_max < 0.5)
        assert fleet.read().lag_lost_s[0] > 0.4
        totals = fleet.let_go(0.0)
    check_accounts(totals)
    assert totals.lag.max_s > 0.5


def test_a_killed_process_leaves_its_counts(server: Uvicorn) -> None:
    """Of a process that is killed all it counted stays; what it held is unfinished."""
    plan = load_plan(server.port, path="/wait", clients=200, processes=2)
    with Fleet(plan) as fleet:
        fleet.start()
        fleet.allow(200, 0)
        wait_until(lambda: fleet.read().in_flight == 200)
        os.kill(fleet.pids[0], signal.SIGKILL)
        wait_until(lambda: fleet.read().dead)
        sample = fleet.read()
        assert (sample.dead, sample.in_flight, sample.connected, sample.sent) == (1, 100, 100, 200)
        assert "process 0 ended with code -9" in str(sample.first_error)
        server.get("/release")
        wait_until(lambda: fleet.read().answered > 500)
        totals = fleet.let_go(30.0)
        assert fleet.read().dead == 1
    check_accounts(totals)
    assert (totals.unfinished, totals.failed) == (100, 0)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_process_that_ends_at_full_speed_adds_up(server: Uvicorn, number: signal.Signals) -> None:
    """However a process ends amid its work, each of its requests is in one place."""
    plan = load_plan(server.port, path="/now/{id}", ids=99, clients=20, processes=2)
    with Fleet(plan) as fleet:
        fleet.start()
        fleet.allow(20, 0)
        wait_until(lambda: fleet.read().answered > 1_000)
        os.kill(fleet.pids[1], number)
        wait_until(lambda: fleet.read().dead == 1)
        totals = fleet.let_go(30.0)
    assert totals.intended == totals.sent + totals.unsent
    assert totals.sent == totals.answered + totals.failed + totals.unfinished
    assert totals.failed == 0
    assert 0 < totals.unfinished <= 64 + 10
    assert abs(totals.response.count - totals.answered) <= 64


def test_processes_end_with_their_fleet(server: Uvicorn) -> None:
    """A fleet's own process that is killed leaves no generator behind."""
    env = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-c", STARTED_AND_LEFT, str(server.port)]
    with subprocess.Popen(
        command, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as starter:
        assert starter.stdout
        pids = [int(pid) for pid in starter.stdout.readline().split()]
        assert len(pids) == 2
        assert all(map(is_running, pids))
        starter.kill()
    wait_until(lambda: not any(map(is_running, pids)))


def test_a_process_that_cannot_start_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """A generator that ends before it is ready is an error that says its last words."""
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with Fleet(load_plan(1)) as fleet, pytest.raises(HoldfastError) as error:
        fleet.start()
    assert "ended with code 1" in str(error.value.place)


def test_a_held_client_costs_less_than_200_bytes(server: Uvicorn) -> None:
    """From 200 to 2,000 held clients, a process grows by less than 200 bytes a client."""
    with Fleet(load_plan(server.port, path="/wait", clients=HELD)) as fleet:
        fleet.start()
        fleet.allow(HELD // 10, 0)
        wait_until(lambda: fleet.read().in_flight == HELD // 10)
        before = private_bytes(fleet.pids[0])
        fleet.allow(HELD, 0)
        wait_until(lambda: fleet.read().in_flight == HELD)
        assert private_bytes(fleet.pids[0]) - before < 200 * (HELD - HELD // 10)
