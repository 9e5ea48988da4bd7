"""Runs at 2,000 in flight: each witness contradicts the others, and changes the verdict alone."""

from __future__ import annotations

import os
import resource
import signal
import socket
import subprocess
import sys
import threading
from contextlib import ExitStack
from typing import Any

import pytest

from holdfast.proof.moment import Moment
from holdfast.proof.run import Proof
from holdfast.stack.process import StackProcess
from tests.proof import trials
from tests.proof.trials import ASKED, CLIENTS, OnHold, prove, prove_stack, silent_server

BUSY_FOR_6_S = """
import time
end_s = time.monotonic() + 6.0
while time.monotonic() < end_s: pass
"""
pytestmark = pytest.mark.slow


def test_a_stack_that_holds_is_held() -> None:
    """Three witnesses agree, idle clients stay, nothing fails, every request is accounted for."""
    result = prove_stack(idle=200)
    assert (result.verdict, result.reasons, result.exit_code) == ("held", [], 0)
    least = result.witnesses
    assert least.app is not None
    assert least.kernel is not None
    assert ASKED <= least.app <= CLIENTS
    assert ASKED <= least.client <= CLIENTS
    assert ASKED <= least.kernel <= CLIENTS
    assert result.held == min(least.client, least.app, least.kernel)
    assert (result.idle, result.failed, result.unfinished) == (200, 0, 0)
    totals = result.totals
    assert totals.intended == totals.sent + totals.unsent
    assert totals.sent == totals.answered + totals.failed + totals.unfinished
    assert totals.answered == result.answered == sum(result.histograms.response.values())
    assert result.hold_s >= trials.HOLD_S
    assert {"opening", "hold"} <= set(result.series.phase)
    assert min(result.memory.workers, result.memory.generator, result.memory.kernel) > 0
    assert result.memory.bytes_per_request > 0


def test_closing_half_of_the_clients_sockets_is_not_held() -> None:
    """Clients that lose their connection in the hold fail, and the verdict says so."""
    shut: list[int] = []

    def half(_stack: StackProcess) -> OnHold:
        shut.clear()
        return lambda: shut.extend(
            trials.shut_half(pid, socket.SHUT_RDWR) for pid in trials.generators()
        )

    result = prove_stack(half)
    assert result.verdict == "not held"
    assert sum(shut) > CLIENTS // 4
    assert result.failed >= sum(shut) - 100  # of those between two requests none failed
    assert any("requests failed, the first: closed early" in line for line in result.reasons)


def silent(**changes: Any) -> trials.Result:
    """A proof of a server that accepts and never reads, whose gauge says what it is told to."""
    disturb = changes.pop("disturb", lambda: None)
    in_flight = changes.pop("in_flight", lambda: CLIENTS)
    for _ in range(trials.TRIES):
        with silent_server() as port:
            result = prove(
                trials.plan(port, **{"mean_time_s": 600.0, "grace_s": 0.0, **changes}),
                in_flight=in_flight,
                on=trials.once_in_hold(disturb),
            )
        if result.verdict != "void":
            break
    return result


def test_the_kernel_alone_contradicts() -> None:
    """Half-closed connections are seen by the kernel only; client and app count on."""

    def disturb() -> None:
        for pid in trials.generators():
            trials.shut_half(pid, socket.SHUT_WR)

    result = silent(disturb=disturb)
    assert (result.verdict, result.held_by, result.failed) == ("not held", "kernel", 0)
    assert (result.witnesses.client, result.witnesses.app) == (CLIENTS, CLIENTS)
    assert result.held < ASKED
    assert len([line for line in result.reasons if "were asked" in line]) == 1
    assert f"the kernel counted {result.held:,} in flight" in result.reasons[0]


def test_the_app_alone_contradicts_a_server_that_never_reads() -> None:
    """A server that never reads is full for client and kernel, and empty for the app."""
    result = silent(in_flight=lambda: 0, open_ceiling_s=4.0)
    assert (result.verdict, result.held, result.held_by) == ("not held", 0, "app")
    assert (result.witnesses.client, result.witnesses.kernel) == (CLIENTS, CLIENTS)
    assert (result.hold_s, result.unfinished) == (0.0, CLIENTS)
    assert "the app counted 0 in flight at the least, 2,000 were asked" in result.reasons


def test_the_client_alone_contradicts() -> None:
    """Strangers' requests fill the server's counts, and not the client's."""
    with ExitStack() as cleanup:
        strangers: list[socket.socket] = []

        def on(_proof: Proof, _moment: Moment) -> None:
            for _ in range(200 - len(strangers)):
                stranger = cleanup.enter_context(socket.create_connection(("127.0.0.1", port)))
                strangers.append(stranger)

        port = cleanup.enter_context(silent_server())
        wanted = trials.plan(
            port, clients=ASKED - 100, mean_time_s=600.0, grace_s=0.0, open_ceiling_s=4.0
        )
        result = prove(wanted, in_flight=lambda: ASKED + 100, on=on)
    assert (result.verdict, result.held_by) == ("not held", "client")
    assert (result.held, result.witnesses.kernel) == (ASKED - 100, ASKED + 100)


def test_without_the_apps_count_a_silent_server_is_caught_by_its_silence() -> None:
    """With two witnesses that agree, nobody answered in more than the mean time is not held."""
    result = silent(in_flight=None, mean_time_s=None)
    assert (result.verdict, result.witnesses.app) == ("not held", None)
    assert (result.held, result.witnesses.kernel) == (CLIENTS, CLIENTS)
    assert "nobody was answered" in result.reasons[0]
    assert any("two witnesses" in note for note in result.notes)


def test_an_app_that_answers_before_it_has_finished_is_not_held() -> None:
    """What goes on behind an answer is not in flight: the app's own count stays small."""
    result = prove_stack(app="early", slots=1, open_ceiling_s=4.0, tries=1)
    assert (result.held_by, result.failed) == ("app", 0)
    assert result.verdict != "held"  # void beside other programs: it looks like slowness
    assert result.witnesses.client > 10 * result.held
    assert (result.witnesses.kernel or 0) > 10 * result.held
    assert any(line.startswith("the app counted") for line in result.reasons)


def test_a_worker_killed_in_the_hold_is_not_held() -> None:
    """What a killed worker held has failed, even though its successor takes over."""

    def kill(served: StackProcess) -> OnHold:
        return lambda: os.kill(served.workers()[0].pid, signal.SIGKILL)

    result = prove_stack(kill)
    assert result.verdict == "not held"
    assert result.failed > 0
    assert any("requests failed, the first:" in line for line in result.reasons)


def test_a_stopped_generator_is_void() -> None:
    """A generator process that was stopped for two seconds has proved nothing."""

    def stop(_stack: StackProcess) -> OnHold:
        def act() -> None:
            pid = trials.generators()[0]
            os.kill(pid, signal.SIGSTOP)
            threading.Timer(2.0, os.kill, (pid, signal.SIGCONT)).start()

        return act

    result = prove_stack(stop, tries=1)
    assert (result.verdict, result.exit_code) == ("void", 3)
    assert any("late; over 1 s it proves nothing" in line for line in result.reasons)


def test_a_killed_generator_process_is_void() -> None:
    """A generator process that dies in the hold voids the run, and its requests stay counted."""

    def kill(_stack: StackProcess) -> OnHold:
        return lambda: os.kill(trials.generators()[0], signal.SIGKILL)

    result = prove_stack(kill, tries=1)
    assert result.verdict == "void"
    assert result.reasons[0] == "1 of 2 generator processes died"
    totals = result.totals
    assert totals.sent == totals.answered + totals.failed + totals.unfinished


def test_a_starved_generator_is_void() -> None:
    """A generator that shares one core with busy neighbours and comes last has proved nothing."""
    core = max(os.sched_getaffinity(0))
    with ExitStack() as cleanup:

        def starve(_stack: StackProcess) -> OnHold:
            def act() -> None:
                for pid in trials.generators():
                    trials.come_last(pid, core)
                for _ in range(4):
                    argv = [sys.executable, "-S", "-c", BUSY_FOR_6_S]
                    busy = cleanup.enter_context(subprocess.Popen(argv, start_new_session=True))
                    cleanup.callback(busy.kill)
                    os.sched_setaffinity(busy.pid, {core})

            return act

        result = prove_stack(starve, tries=1, processes=1, hold_s=5.0)
    assert result.verdict == "void"
    assert any("a generator process" in line for line in result.reasons)


def test_a_generator_without_descriptors_is_void() -> None:
    """Clients that the generator itself cannot open are no fault of the server's."""

    def on(_proof: Proof, moment: Moment) -> None:
        if moment.phase == "opening":
            for pid in trials.generators():
                resource.prlimit(pid, resource.RLIMIT_NOFILE, (300, 300))

    with silent_server() as port:
        wanted = trials.plan(port, open_rate=500.0, open_ceiling_s=4.0, grace_s=0.0)
        result = prove(wanted, in_flight=lambda: CLIENTS, on=on)
    assert result.verdict == "void"
    assert any("the generator itself ran short: EMFILE" in line for line in result.reasons)


def test_an_interrupted_run_still_has_a_result() -> None:
    """`stop` from a signal handler ends the hold, and what was measured is judged."""
    before = signal.getsignal(signal.SIGALRM)
    with silent_server() as port:

        def on(proof: Proof, moment: Moment) -> None:
            if moment.phase == "hold":
                signal.signal(signal.SIGALRM, lambda *_: proof.stop())
                signal.setitimer(signal.ITIMER_REAL, 0.1)

        try:
            wanted = trials.plan(port, hold_s=600.0, mean_time_s=600.0)
            result = prove(wanted, in_flight=lambda: CLIENTS, on=on)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
    assert any(line.startswith("interrupted after a hold of ") for line in result.reasons)
    assert result.verdict != "held"
    assert (result.held, result.unfinished) == (CLIENTS, CLIENTS)


def test_an_interruption_while_opening_has_a_result_too() -> None:
    """A run that was stopped before it began says so."""
    with silent_server() as port:
        wanted = trials.plan(port, open_rate=100.0, mean_time_s=600.0)
        result = prove(wanted, in_flight=lambda: 0, on=lambda proof, _moment: proof.stop())
    assert any("before the hold began" in line for line in result.reasons)
    assert result.hold_s == 0.0
    assert result.verdict != "held"
