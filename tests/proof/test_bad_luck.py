"""Runs that others disturb: by rate when a generator process goes, and beside busy programs."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import ExitStack

import msgspec
import pytest

from holdfast.load import fleet
from holdfast.proof.moment import Moment
from holdfast.proof.rate import RateProof
from holdfast.proof.result import Result
from tests.load.servers import OK, RawServer
from tests.load.test_answers import always
from tests.proof import trials
from tests.proof.test_machine import BURNER, child

pytestmark = pytest.mark.slow

RATE, FOR_S, CONNECTIONS = 200.0, 3.0, 20


def prove_by_rate(act: Callable[[], None]) -> Result:
    """Prove a server that answers at once by rate, and act as soon as requests are due."""
    acts = [act]

    def on_moment(moment: Moment) -> None:
        if moment.phase == "hold" and acts:
            acts.pop()()

    with RawServer(always(OK)) as server:
        wanted = trials.plan(
            server.port, asked=0, clients=CONNECTIONS, rate=RATE, for_s=FOR_S, hold_s=FOR_S
        )
        return RateProof(wanted, in_flight=None, groups=dict, on_moment=on_moment).run()


def check_totals(result: Result) -> None:
    """Hold law 7."""
    totals = result.totals
    assert totals.intended == totals.sent + totals.unsent
    assert totals.sent == totals.answered + totals.failed + totals.unfinished


def test_a_killed_generator_process_voids_a_run_by_rate() -> None:
    """What a dead process did not send is nobody's fault but its own: void, and it is named."""
    result = prove_by_rate(lambda: os.kill(trials.generators()[0], signal.SIGKILL))
    assert (result.verdict, result.exit_code) == ("void", 3)
    assert result.reasons[0] == "1 of 2 generator processes died"
    check_totals(result)


def test_a_stopped_generator_process_voids_a_run_by_rate() -> None:
    """A process that was stopped for two seconds sent late what was due: void, and it is named."""

    def stop() -> None:
        pid = trials.generators()[0]
        os.kill(pid, signal.SIGSTOP)
        threading.Timer(2.0, os.kill, (pid, signal.SIGCONT)).start()

    result = prove_by_rate(stop)
    assert (result.verdict, result.exit_code) == ("void", 3)
    assert any("late; over 1 s it proves nothing" in line for line in result.reasons)
    check_totals(result)


def test_a_generator_process_that_stays_stopped_ends_the_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A process that never comes back is not waited for beyond the ceiling, and voids the run."""
    monkeypatch.setattr(fleet, "STOP_CEILING_S", 1.0)
    result = prove_by_rate(lambda: os.kill(trials.generators()[0], signal.SIGSTOP))
    assert result.verdict == "void"
    assert "1 of 2 generator processes were stopped" in result.reasons
    check_totals(result)


def test_what_busy_programs_take_is_seen() -> None:
    """Programs that take the processors beside a run are counted apart from what is its own."""
    with ExitStack() as cleanup:
        for _ in range(os.cpu_count() or 1):
            cleanup.enter_context(child(BURNER))
        result = trials.prove_stack(tries=1)
    assert result.cpu.foreign is not None
    assert result.cpu.foreign > 0.05


@pytest.mark.beside
def test_used_up_local_ports_are_named_with_what_helps() -> None:
    """Where no local port is free the run is void, and the reason says what to widen."""
    unshare = shutil.which("unshare")
    if unshare is None:
        pytest.skip("unshare (util-linux) is not installed")
    argv = [unshare, "--net", sys.executable, "-m", "tests.proof.few_ports"]
    done = subprocess.run(argv, capture_output=True, timeout=60, check=False)
    if done.returncode == 77 or b"unshare: " in done.stderr:
        pytest.skip("no network namespace of its own is allowed here")
    result = msgspec.json.decode(done.stdout, type=Result)
    assert result.verdict == "void"
    assert set(result.errors) == {"EADDRNOTAVAIL"}
    (reason,) = [line for line in result.reasons if "EADDRNOTAVAIL" in line and "short" in line]
    assert reason.endswith("; widen net.ipv4.ip_local_port_range, no local port was free")
