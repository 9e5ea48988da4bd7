"""The run: opens clients, holds them, lets them go, and looks each second. Yields a result.

Decides what happens when; must not know how load is made, or what counts as held.
"""

from __future__ import annotations

import math
import operator
import os
import select
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from holdfast.load.counts import FleetTotals
from holdfast.load.fleet import Fleet
from holdfast.load.ramp import Ramp
from holdfast.proof.machine import Groups, Machine
from holdfast.proof.moment import Moment, Phase
from holdfast.proof.plan import ProofPlan
from holdfast.proof.planned import PlannedPath
from holdfast.proof.result import Result
from holdfast.proof.summary import Story, summarise
from holdfast.proof.verdict import Stop
from holdfast.proof.watch import Sighting, Watch

STEP_S: Final = 0.02
"""How often the opening looks at the accept queue: 200 clients at 10,000 a second."""
WINDOW_S: Final = 0.2
WINDOW_LEAST: Final = 256
"""Connects under way at once: what the opening rate starts in 0.2 s, and at least 256."""
STALL_S: Final = 30.0
"""Opening gives up when for so long no count reached a new high: a connect that met a full accept
queue has been tried again after 1, 3, 7 and 15 s by then."""


class Proof:
    """One proof. `in_flight` is the app's own count; `groups` names processes, for their memory.

    `started` is the machine before anything was started, so that growth counts all of it. `planned`
    is what the path was sized for, and `ports` where its services listen, to be compared with use.
    """

    def __init__(
        self,
        plan: ProofPlan,
        *,
        in_flight: Callable[[], int] | None,
        groups: Callable[[], Mapping[str, Sequence[int]]],
        on_moment: Callable[[Moment], None] | None = None,
        started: Machine | None = None,
        planned: PlannedPath | None = None,
        ports: Mapping[str, Sequence[int]] | None = None,
    ) -> None:
        self._planned, self._ports = planned, ports or {}
        self._plan, self._in_flight, self._groups = plan, in_flight, groups
        self._on_moment, self._started = on_moment, started
        self._sightings: list[Sighting] = []
        self._is_stopped = False
        self._wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)

    def __del__(self) -> None:
        os.close(self._wake)

    def stop(self) -> None:
        """End the run early; what was measured still becomes a result. Safe in a signal handler."""
        self._is_stopped = True
        os.eventfd_write(self._wake, 1)

    def run(self) -> Result:
        """Open, hold, let go; blocks until then. Raises HoldfastError where no load can be made."""
        plan, started_at = self._plan, datetime.now(UTC).isoformat(timespec="seconds")
        at_start = Machine.read()
        with Fleet(plan.load) as fleet:
            base = Groups().read(self._groups())
            fleet.start()
            watch = Watch(
                fleet,
                port=plan.load.port,
                in_flight=self._in_flight,
                groups=self._groups,
                before=self._started or at_start,
                ports=self._ports,
            )
            try:
                begun_s = time.monotonic()
                stop = self._open(fleet, watch)
                opened_s = time.monotonic() - begun_s
                first, hold_s = len(self._sightings), 0.0
                if not stop:
                    first -= 1  # the look that found everyone there is the first of the hold
                    stop, hold_s = self._hold(fleet, watch)
                last = len(self._sightings)
                totals = self._let_go(fleet, watch)
            finally:
                watch.close()
        story = Story(
            plan=plan,
            started_at=started_at,
            base=base,
            before=self._started or at_start,
            is_before_all=self._started is not None,
            at_start=at_start,
            sightings=self._sightings,
            hold=slice(first, last),
            stop=stop,
            opened_s=opened_s,
            hold_s=hold_s,
            run_s=time.monotonic() - begun_s,
            totals=totals,
            kernel_refused=watch.kernel_refused,
            has_app=self._in_flight is not None,
            planned=self._planned,
        )
        return summarise(story)

    def _open(self, fleet: Fleet, watch: Watch) -> Stop:
        """Let clients in until all are there and counted; otherwise say why it ended."""
        plan, everyone = self._plan, self._plan.clients + self._plan.idle
        window = max(WINDOW_LEAST, round(plan.open_rate * WINDOW_S))
        ramp = Ramp(everyone, plan.open_rate, window)
        begun_s = now_s = time.monotonic()
        look_s, rose_s, highest = begun_s + 1.0, begun_s, [-1, -1, -1]
        while True:
            sample, queue = watch.sample(), watch.queue()
            backlog = plan.backlog_total or (queue.backlog if queue else None)
            fullest = max(queue.fullest if queue else 0.0, self._behind(sample.in_flight))
            queued = math.ceil(fullest * backlog) if queue and backlog else None
            allowed = ramp.step(
                now_s, sample.connected + sample.idle, sample.opening, queued, backlog
            )
            idle = allowed * plan.idle // everyone
            fleet.allow(allowed - idle, idle)
            stop = self._cut()
            if now_s - begun_s >= plan.open_ceiling_s:
                stop = stop or "ceiling"
            if now_s - rose_s >= STALL_S:
                stop = stop or "stalled"
            if stop or now_s >= look_s:
                look_s = max(look_s + 1.0, now_s)
                must_count = allowed == everyone and not sample.opening
                seen = self._look(watch, "opening", is_last=bool(stop), must_count=must_count)
                counts = [sample.connected, sample.in_flight, seen.moment.witnesses.app or 0]
                if any(map(operator.gt, counts, highest)):
                    highest, rose_s = list(map(max, counts, highest)), now_s
                if stop:
                    return stop
                can_count = watch.kernel_refused is None
                if allowed == everyone and self._is_reached(seen, can_count):
                    return ""
            now_s = self._wait_until(now_s + STEP_S)

    def _behind(self, sent: int) -> float:
        """The part of the room behind an edge that may be taken: what was sent and not started."""
        if self._plan.slots_room is None or self._in_flight is None:
            return 0.0
        return max(0, sent - self._in_flight()) / self._plan.slots_room

    def _is_reached(self, seen: Sighting, can_count: bool) -> bool:
        """Whether every client is there, and every witness that there is counts what was asked."""
        plan, moment, sample = self._plan, seen.moment, seen.sample
        counts = moment.witnesses
        return (
            sample.connected + sample.idle + sample.opening >= plan.clients + plan.idle
            and moment.idle >= plan.idle
            and counts.client >= plan.asked
            and (counts.app is None or counts.app >= plan.asked)
            and (counts.kernel or 0) >= plan.asked * can_count
        )

    def _hold(self, fleet: Fleet, watch: Watch) -> tuple[Stop, float]:
        """Look each second from the look before, and at the end; how long it lasted."""
        hold_s, begun_s = self._plan.hold_s, self._held_since_s()
        due_s = min(1.0, hold_s)
        while True:
            passed_s = self._wait_until(begun_s + due_s) - begun_s
            is_last = passed_s >= hold_s or self._is_stopped
            self._look(watch, "hold", is_last=is_last)
            if passed_s >= hold_s:
                return "", passed_s
            if stop := self._cut():
                return stop, passed_s
            # A look that took over a second skips those that it missed.
            due_s = min(max(due_s + 1.0, math.ceil(time.monotonic() - begun_s)), hold_s)

    def _held_since_s(self) -> float:
        return self._sightings[-1].sample.at_s

    def _let_go(self, fleet: Fleet, watch: Watch) -> FleetTotals:
        """Send nothing more and wait for answers, but no longer than until an interruption."""
        look_s = time.monotonic() + 1.0

        def on_wait() -> bool:
            nonlocal look_s
            if time.monotonic() >= look_s:
                look_s += 1.0
                self._look(watch, "letting go")
            return self._is_stopped

        return fleet.let_go(0.0 if self._is_stopped else self._plan.grace_s, on_wait)

    def _look(
        self, watch: Watch, phase: Phase, *, is_last: bool = False, must_count: bool = False
    ) -> Sighting:
        seen = watch.look(phase, is_last=is_last, must_count=must_count)
        self._sightings.append(seen)
        if self._on_moment is not None:
            self._on_moment(seen.moment)
        return seen

    def _cut(self) -> Stop:
        return "interrupted" if self._is_stopped else ""

    def _wait_until(self, due_s: float) -> float:
        """Wait for the moment or for `stop`, whichever comes first; the time it is then."""
        while (left_s := due_s - time.monotonic()) > 0:
            if select.select([self._wake], [], [], left_s)[0]:
                break
        return time.monotonic()
