"""Starts generator processes, says how many clients they may open, and adds up what they count.

Reads their counters in shared memory and asks them nothing. Must not know what they talk to.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self

import msgspec

from holdfast.load import shared
from holdfast.load.counts import (
    FleetSample,
    FleetTotals,
    LagReader,
    account,
    errors_of,
    first_error_of,
    tallies_of,
)
from holdfast.load.histogram import Histogram
from holdfast.load.plan import LoadPlan, allowed
from holdfast.load.shared import Board
from holdfast.model.errors import HoldfastError

START_CEILING_S = 60.0
"""Time for all processes to begin: 56 on 2 cores need about 3 s."""
STOP_CEILING_S = 20.0
"""Time to close and to exit after the grace time; then the process is killed."""
START_TICKS = 10
"""A process that is later than so many ticks has nothing to do with a load that keeps its time."""
WATCH_S = 0.02
"""How often a fleet looks whether its processes have begun or ended."""


class Fleet:
    """The generator's processes, as a context manager that kills them on exit.

    Start it from the main thread, or from one that outlives it: the kernel ends the processes with
    the thread that started them.
    """

    def __init__(self, plan: LoadPlan) -> None:
        plan.check()
        self.plan = plan
        self._started: list[subprocess.Popen[bytes]] = []
        self._logs: list[int] = []
        self._boards: list[Board] = []
        self._lags: list[LagReader] = []
        self._began_s = 0.0
        self._totals: FleetTotals | None = None

    def __repr__(self) -> str:
        return f"<Fleet of {len(self._started)} processes to {self.plan.address}:{self.plan.port}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    @property
    def pids(self) -> tuple[int, ...]:
        """The processes' ids, by index; also of those that ended."""
        return tuple(process.pid for process in self._started)

    def start(self) -> None:
        """Start every process and wait until each is ready; none opens a client yet."""
        processes = self.plan.processes
        memory = shared.create(processes)
        plan = os.memfd_create("holdfast-plan", os.MFD_CLOEXEC)
        try:
            os.write(plan, msgspec.json.encode(self.plan))
            for index in range(processes):
                self._boards.append(Board(memory, index))
                self._lags.append(LagReader(self._boards[-1], self.plan.tick_ns))
                self._spawn(index, plan, memory)
        finally:
            os.close(memory)
            os.close(plan)
        end_s = time.monotonic() + START_CEILING_S
        while not all(board.words[shared.READY] for board in self._boards):
            for index in self._dead():
                self.kill()
                raise HoldfastError(
                    f"generator process {index} did not start", place=self._log(index)
                )
            if time.monotonic() > end_s:
                self.kill()
                raise HoldfastError(f"the generator did not start within {START_CEILING_S:g} s")
            time.sleep(WATCH_S)
        self._began_s = time.monotonic()

    def _spawn(self, index: int, plan: int, memory: int) -> None:
        self._logs.append(os.memfd_create(f"holdfast-load-{index}", os.MFD_CLOEXEC))
        numbers = (index, os.getpid(), plan, memory)
        source = str(Path(__file__).parents[2])  # where the package itself lies
        paths = os.pathsep.join(filter(None, (source, os.environ.get("PYTHONPATH"))))
        process = subprocess.Popen(
            [sys.executable, "-m", "holdfast.load", *map(str, numbers)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=self._logs[-1],
            env=os.environ | {"PYTHONPATH": paths},
            pass_fds=(plan, memory),
            start_new_session=True,
        )
        self._started.append(process)

    def allow(self, clients: int, idle: int) -> None:
        """Let so many clients be open, over all processes; never fewer than before."""
        plan, parts = self.plan, len(self._boards)
        for index, board in enumerate(self._boards):
            most = (
                allowed(clients, plan.clients, index, parts),
                allowed(idle, plan.idle, parts - 1 - index, parts),
            )
            for word, number in zip((shared.ALLOW_CLIENTS, shared.ALLOW_IDLE), most, strict=True):
                board.words[word] = max(board.words[word], number)

    def begin(self) -> float:
        """Have requests sent by the plan's rate from a moment on, which is returned.

        It is on the monotonic clock, and some ticks ahead, so that each process has heard of it.
        """
        start_ns = time.monotonic_ns() + START_TICKS * self.plan.tick_ns
        for board in self._boards:
            board.words[shared.START_NS] = start_ns
        return start_ns / 1e9

    def read(self) -> FleetSample:
        """What the processes count now; those that ended hold no client any more."""
        dead = self._dead()
        words = [board.words for board in self._boards]
        now_s = time.monotonic()
        alive = [w for w, p in zip(words, self._started, strict=True) if p.poll() is None]

        def total(word: int) -> int:
            return sum(w[word] for w in words)

        def gauge(word: int) -> int:
            return sum(w[word] for w in alive)

        again, kept = total(shared.AGAIN), (shared.OPENING, shared.CONNECTED, shared.IDLE)
        ticking = [lag for index, lag in enumerate(self._lags) if index not in dead]
        error = first_error_of(self._boards)
        return FleetSample(
            at_s=now_s,
            in_flight=gauge(shared.IN_FLIGHT),
            opening=gauge(shared.OPENING),
            connected=gauge(shared.CONNECTED),
            idle=gauge(shared.IDLE),
            answered=again + total(shared.ANSWERED),
            failed=total(shared.FAILED),
            sent=again + total(shared.SENT),
            intended=again + total(shared.INTENDED),
            idle_closed=total(shared.IDLE_CLOSED),
            errors=errors_of(self._boards),
            first_error=error or (self._log(dead[0]) if dead else None),
            lag_s_max=max((lag.largest_s(now_s) for lag in ticking), default=0.0),
            lag_lost_s=tuple(
                0.0 if index in dead else lag.lost_s(now_s) for index, lag in enumerate(self._lags)
            ),
            cpu_s=tuple(w[shared.CPU_NS] / 1e9 for w in words),
            dead=len(dead),
            sockets=gauge(shared.SOCKETS) if self.plan.streams > 1 else sum(map(gauge, kept)),
            granted=min(
                [w[shared.GRANTED] for w in words if w[shared.GRANTED]], default=self.plan.streams
            ),
            tally=tallies_of(self._boards),
        )

    def let_go(self, grace_s: float, on_wait: Callable[[], bool] | None = None) -> FleetTotals:
        """Send nothing more, wait up to `grace_s` for what is in flight, close, and add up.

        `on_wait` is called about every 20 ms meanwhile; what it returns ends the wait at once.
        Raises HoldfastError when a request is not accounted for.
        """
        if self._totals is not None:
            return self._totals
        end_s = self._wait_no_longer_than(time.monotonic() + max(grace_s, 0.0))
        while any(process.poll() is None for process in self._started):
            if time.monotonic() > end_s + STOP_CEILING_S:
                break
            if on_wait is not None and on_wait() and time.monotonic() < end_s:
                end_s = self._wait_no_longer_than(time.monotonic())
            time.sleep(WATCH_S)
        wall_s = time.monotonic() - self._began_s
        self.kill()
        self._totals = self._collect(wall_s)
        return self._totals

    def _wait_no_longer_than(self, end_s: float) -> float:
        """Tell every process that runs when to stop waiting for answers."""
        for board, process in zip(self._boards, self._started, strict=True):
            if process.poll() is None:
                board.words[shared.LET_GO_NS] = int(end_s * 1e9)
        return end_s

    def kill(self) -> None:
        """End every process at once; what each had counted stays."""
        for process in self._started:
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
        for process in self._started:
            process.wait()

    def _collect(self, wall_s: float) -> FleetTotals:
        response, service, lag, late = Histogram(), Histogram(), Histogram(), Histogram()
        sums = dict.fromkeys(
            ("intended", "sent", "unsent", "answered", "refused", "failed", "unfinished"), 0
        )
        for index, board in enumerate(self._boards):
            for part in (board.prompt, board.response):
                response.merge(part)
            for part in (board.prompt, board.service):
                service.merge(part)
            lag.merge(board.lag)
            late.merge(board.late)
            for name, number in account(board.words, index).items():
                sums[name] += number
        return FleetTotals(
            **sums,
            errors=errors_of(self._boards),
            first_error=first_error_of(self._boards),
            idle_closed=sum(board.words[shared.IDLE_CLOSED] for board in self._boards),
            response=response,
            service=service,
            lag=lag,
            cpu_s=tuple(board.words[shared.CPU_NS] / 1e9 for board in self._boards),
            wall_s=wall_s,
            late=late,
            tally=tallies_of(self._boards),
        )

    def _dead(self) -> list[int]:
        """Processes that ended without having been let go, or without having come to their end."""
        asked = [
            board.words[shared.LET_GO_NS] and board.words[shared.DONE] for board in self._boards
        ]
        return [n for n, p in enumerate(self._started) if p.poll() is not None and not asked[n]]

    def _log(self, index: int) -> str:
        """How a process ended, and the last line that it wrote."""
        lines = os.pread(self._logs[index], 65_536, 0).decode(errors="replace").split("\n")
        last = next((line for line in reversed(lines) if line.strip()), "it wrote nothing")
        return f"generator process {index} ended with code {self._started[index].poll()}: {last}"
