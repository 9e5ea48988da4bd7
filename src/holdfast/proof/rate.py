"""A run by rate: warms up, sends what is due, and looks each second. Yields a result.

The open loop beside the hold: it asks no number in flight, but an answer to each request that was
due. Must not know how times are chosen, nor how load is made.
"""

from __future__ import annotations

import math
import time
from typing import Final

from holdfast.load.fleet import Fleet
from holdfast.proof.run import STALL_S, STEP_S, Proof
from holdfast.proof.verdict import Stop
from holdfast.proof.watch import Watch

WARM_S: Final = 0.1
"""Connections that are there at the start: what a server that answers within it needs at once."""


def warm_connections(rate: float, most: int, processes: int) -> int:
    """Connections to open before the first request is due: rate x WARM_S, one a process."""
    return min(max(math.ceil(rate * WARM_S), processes), most)


class RateProof(Proof):
    """One proof by the rate of `plan.load`; `clients` are the connections to begin with."""

    def _open(self, fleet: Fleet, watch: Watch) -> Stop:
        """Open the connections to begin with; otherwise say why it ended."""
        plan, begun_s = self._plan, time.monotonic()
        fleet.allow(plan.clients, plan.idle)
        while True:
            sample, now_s = watch.sample(), time.monotonic()
            is_ready = sample.connected >= plan.clients and sample.idle >= plan.idle
            stop = self._cut()
            if now_s - begun_s >= min(plan.open_ceiling_s, STALL_S):
                stop = stop or "stalled"
            if stop or is_ready:
                self._look(watch, "opening", is_last=True)
                return stop
            self._wait_until(now_s + STEP_S)

    def _hold(self, fleet: Fleet, watch: Watch) -> tuple[Stop, float]:
        """Start the schedule, then look each second until all is due."""
        self._start_s = self._wait_until(fleet.begin())
        return super()._hold(fleet, watch)

    def _held_since_s(self) -> float:
        return self._start_s
