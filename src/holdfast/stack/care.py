"""Looks after the workers of a stack: who is deaf, too large or past its time gets a successor.

Looks once a second, and cheaply. Whose turn it is, `policy` decides; the table of slots does it.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable
from typing import Final

from holdfast.policy.care import Due, Past, Worker, due, failed
from holdfast.policy.slots import State
from holdfast.stack.config import Event, StackConfig
from holdfast.stack.crew import Worker as Process
from holdfast.stack.loop import Loop
from holdfast.stack.operator import Operator
from holdfast.stack.workers import Workers
from holdfast.wire import ENGINES, FINISHED

LOOK_S: Final = 1.0
"""How often the workers are looked at."""
ASK_S: Final = 5.0
"""How often each of them is asked for an answer, or thrice within the time that it has."""
BUSY: Final = {"threads", "requests"}
"""An engine that caps these answers its supervisor in one of them."""
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")
Who = tuple[int, int]


class Care:
    """Replaces workers as `config.care` says, one at a time, while nothing else is under way.

    `report` is called with each that is about to be replaced, and why. A worker is asked on its
    private socket, without waiting; time in which the supervisor itself stood still is not counted
    against it.
    """

    def __init__(
        self,
        config: StackConfig,
        loop: Loop,
        workers: Workers,
        operator: Operator,
        report: Callable[[Event], None],
    ) -> None:
        self._care, self._loop, self._report = config.care, loop, report
        self._workers, self._operator = workers, operator
        row = ENGINES.get(config.engine)  # `check` refuses what is none
        caps = "" if row is None or not config.slots else row.caps
        self._room = max(1, config.cap) if caps in BUSY else 0
        """From how many requests on nobody can tell a worker that is deaf from a busy one."""
        self._turns = max(1, round(min(ASK_S, self._care.deaf / 3) / LOOK_S))
        self._silent: dict[Who, float] = {}
        """Workers that were asked and have not answered, and for how long."""
        self._past: dict[int, Past] = {}
        self._begun: Due | None = None
        self._looks = 0
        self._looked_s = self._due_s = -math.inf
        care = self._care
        wanted = care.deaf or care.memory or care.max_requests or care.max_age
        self._is_wanted = bool(wanted and config.slots)

    def step(self, now_s: float) -> float:
        """Look, where it is time to, and act; when it wants to be called again."""
        if not self._is_wanted:
            return math.inf
        if now_s >= self._due_s:
            passed_s = min(now_s - self._looked_s, 2 * LOOK_S)
            self._looked_s, self._due_s = now_s, now_s + LOOK_S
            self._looks += 1
            self._look(now_s, passed_s)
        return self._due_s

    def _look(self, now_s: float, passed_s: float) -> None:
        self._end()
        seen: list[Worker] = []
        is_replacing = bool(self._operator.doing)
        silent, self._silent = self._silent, {}
        for slot, process, is_former, why in self._workers.states():
            is_replacing |= bool(is_former or why)
            if process is None or is_former or slot.state is not State.READY:
                continue
            who = slot.index, slot.generation
            if who in silent:
                self._silent[who] = silent[who] + passed_s
            seen.append(self._seen(process, now_s))
        found = due(self._care, seen, self._past, now_s, is_replacing=is_replacing)
        if found is not None:
            self._begin(found)

    def _begin(self, found: Due) -> None:
        """Have the worker replaced, and tell it."""
        if not self._workers.replace(found.why, found.slot):
            return
        self._past[found.slot], self._begun = found.past, found
        text = f"{found.why}: {found.told}"
        event = Event("outdated", time.monotonic(), found.slot, found.generation, text=text)
        self._report(event)

    def _end(self) -> None:
        """See whether what was begun is over, and how."""
        begun, outdated = self._begun, self._workers.outdated
        if begun is None or outdated.left(begun.why):
            return
        if outdated.kept.pop(begun.why, None) is not None:
            self._past[begun.slot] = failed(self._past[begun.slot])
        self._begun = None

    def _seen(self, process: Process, now_s: float) -> Worker:
        care, gauge = self._care, self._workers.gauge
        return Worker(
            process.slot,
            process.generation,
            now_s - process.born_s,
            memory_bytes=own_bytes(process.pid) if care.memory else 0,
            requests=process.count(gauge, FINISHED) if care.max_requests else 0,
            silent_s=self._listen(process) if care.deaf else 0.0,
        )

    def _listen(self, process: Process) -> float:
        """For how long it has been silent; asks it, where it is its turn."""
        who = process.slot, process.generation
        if self._room and process.holds(self._workers.gauge) >= self._room:
            self._silent.pop(who, None)
            return 0.0
        is_turn = who in self._silent or (self._looks + process.slot) % self._turns == 0
        is_asked = process.probe is not None
        if is_turn and not is_asked:
            self._silent.setdefault(who, 0.0)
            if process.ask() and process.probe is not None:
                self._loop.watch(process.probe.fileno(), lambda: self._answered(process))
        return self._silent.get(who, 0.0)

    def _answered(self, process: Process) -> None:
        """Its answer has come, or a part of it; one that is not well is asked again."""
        answered = process.has_answered()
        if answered is None or process.probe is None:
            return
        self._loop.unwatch(process.probe.fileno())
        process.forget_probe()
        if answered:
            self._silent.pop((process.slot, process.generation), None)


def own_bytes(pid: int) -> int:
    """Memory of a process that no file stands behind; 0 where it is gone.

    What it shares with others (libraries, the gauge) does not grow with what it holds.
    """
    try:
        with open(f"/proc/{pid}/statm", "rb", buffering=0) as file:
            _, resident, shared, *_ = map(int, file.read().split())
    except OSError:
        return 0
    return (resident - shared) * _PAGE
