"""Scales a stack by itself: looks at its workers, and asks its operator for as many as it takes.

Looks once a second, and cheaply. How many it takes, `policy` decides.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable

import msgspec

from holdfast.policy.care import wait_s
from holdfast.policy.scaling import Chosen, Look, Serving, changed, choose, middle
from holdfast.policy.slots import State
from holdfast.stack.care import LOOK_S
from holdfast.stack.config import StackConfig, StackEvent
from holdfast.stack.operator import SCALING, Operator
from holdfast.stack.workers import Workers
from holdfast.wire import FINISHED, LAG_US, WAITING


class Scaling:
    """Scales as `config.scale` says: not in a reload, nor before all who shall serve do.

    `queued` says how many connections wait to be accepted; `report` is called with each number that
    is chosen, and why. After one that has not come to pass it waits before it tries again, ever
    longer.
    """

    def __init__(
        self,
        config: StackConfig,
        workers: Workers,
        operator: Operator,
        queued: Callable[[], int],
        report: Callable[[StackEvent], None],
    ) -> None:
        self._scale, self._workers, self._operator = config.scale, workers, operator
        self._queued, self._report = queued, report
        self._is_wanted = bool(config.scale.most and config.slots)
        self._each = config.in_flight / max(1, config.slots)
        self._looks: deque[Look] = deque()
        self._finished: dict[int, int] = {}
        """How many requests each process had answered at the last look."""
        self._has_come = False
        """Whether each slot that is wanted has a worker that serves."""
        self._serving: Serving | None = None
        self._chosen: Chosen | None = None
        self._failures, self._failed_s = 0, -math.inf
        self._due_s = -math.inf

    def step(self, now_s: float) -> float:
        """Look, where it is time to, and act; when it wants to be called again."""
        if not self._is_wanted:
            return math.inf
        if now_s >= self._due_s:
            self._due_s = now_s + LOOK_S
            self._looks.append(self._look(now_s))
            longest_s = max(self._scale.up_after, self._scale.down_after)
            while self._looks[0].at_s < now_s - longest_s - 2 * LOOK_S:
                self._looks.popleft()
            if self._has_come and self._operator.doing in {"", SCALING}:
                self._choose(now_s)
        return self._due_s

    def _choose(self, now_s: float) -> None:
        serving = self._serves(now_s)
        if now_s - self._failed_s < wait_s(self._failures):
            return
        chosen = choose(self._scale, self._each, serving, self._looks, now_s)
        if not chosen.why:
            return
        self._chosen = chosen
        self._report(StackEvent("chosen", time.monotonic(), chosen.slots, text=chosen.why))
        self._operator.scale(chosen.slots)

    def _serves(self, now_s: float) -> Serving:
        """What serves: as it was chosen, where that has come to pass, or as somebody asked for."""
        slots, before, chosen = self._workers.wanted, self._serving, self._chosen
        if before is None:
            before = Serving(slots, now_s)
        elif chosen is not None and slots == chosen.slots:
            before, self._failures = changed(before, chosen, now_s), 0
        elif chosen is not None or slots != before.slots:
            if chosen is not None and slots == before.slots:
                self._failures, self._failed_s = self._failures + 1, now_s
            before = msgspec.structs.replace(before, slots=slots, since_s=now_s)
        self._serving, self._chosen = before, None
        return before

    def _look(self, now_s: float) -> Look:
        gauge = self._workers.gauge
        finished: dict[int, int] = {}
        lags: list[float] = []
        in_flight = waiting = answered = serving = 0
        for slot, process, _, _ in self._workers.states():
            if process is None:
                continue
            done = finished[process.pid] = process.count(gauge, FINISHED)
            answered += done - self._finished.get(process.pid, 0)
            in_flight += process.holds(gauge)
            waiting += process.count(gauge, WAITING)
            if slot.state is State.READY:
                serving += 1
                lags.append(process.count(gauge, LAG_US) / 1e6)
        self._finished, self._has_come = finished, serving >= self._workers.wanted
        lag_s = middle(lags) if lags else 0.0
        return Look(now_s, in_flight, waiting + self._queued(), answered, lag_s)
