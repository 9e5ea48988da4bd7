"""A proof whose clients come in steps, so that what several loads take can be told apart.

Decides which loads, and when each is read; must not know what is fitted to them.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from holdfast.load.fleet import Fleet
from holdfast.observe.process import read_limits
from holdfast.proof.plan import ProofPlan
from holdfast.proof.profile import Load
from holdfast.proof.run import Proof
from holdfast.proof.verdict import Stop
from holdfast.proof.watch import GENERATOR, WORKERS, Sighting, Watch

SHARES: Final = tuple(step / 6 for step in range(1, 7))
"""The steps before the hold, as parts of N, all without idle clients."""
SETTLE_MEAN_TIMES: Final = 1.0
"""How long a step is held: most clients were answered and asked again, which takes memory too."""


class Climb(Proof):
    """Opens the clients in steps, then the idle ones, then holds as every proof does.

    `loads` has a row for each step and for the hold; `open_before` counts the workers' descriptors
    before any client.
    """

    def __init__(self, plan: ProofPlan, **given: Any) -> None:
        super().__init__(plan, **given)
        self.loads: list[Load] = []
        self.open_before = 0

    def _open(self, fleet: Fleet, watch: Watch) -> Stop:
        whole, settle_s = self._plan, SETTLE_MEAN_TIMES * (self._plan.mean_time_s or 0.0)
        self.open_before = self._descriptors()
        try:
            for share in SHARES:
                self._plan = msgspec.structs.replace(
                    whole,
                    asked=round(whole.asked * share),
                    clients=round(whole.clients * share),
                    idle=0,
                    hold_s=settle_s,
                )
                if stop := super()._open(fleet, watch) or self._settle(watch):
                    return stop
        finally:
            self._plan = whole
        return super()._open(fleet, watch)

    def _settle(self, watch: Watch) -> Stop:
        """Look each second until the step has lasted; what is seen belongs to the opening."""
        first = self._sightings[-1]
        begun_s, passed_s = first.sample.at_s, 0.0
        while passed_s < self._plan.hold_s:
            passed_s = self._wait_until(begun_s + passed_s + 1.0) - begun_s
            self._look(watch, "opening")
            if stop := self._cut():
                return stop
        self.loads.append(self._load(first, self._sightings[-1]))
        return ""

    def _hold(self, fleet: Fleet, watch: Watch) -> tuple[Stop, float]:
        first = self._sightings[-1]
        ended = super()._hold(fleet, watch)
        self.loads.append(self._load(first, self._sightings[-1]))
        return ended

    def _load(self, first: Sighting, last: Sighting) -> Load:
        used = {name: use for name, use in last.used.items() if name != GENERATOR}
        return Load(
            clients=self._plan.clients,
            idle=self._plan.idle,
            answers=last.sample.answered - first.sample.answered,
            seconds=round(last.sample.at_s - first.sample.at_s, 3),
            processes={name: use.processes for name, use in used.items()},
            bytes={name: use.bytes for name, use in used.items()},
            cpu_s={
                name: round(use.cpu_s - first.used[name].cpu_s, 2) for name, use in used.items()
            },
            descriptors=self._descriptors(),
        )

    def _descriptors(self) -> int:
        """Open in all workers together."""
        seen = (value for pid in self._groups()[WORKERS] for value in read_limits(pid))
        return sum(int(v.number) for v in seen if v.setting == "descriptors_open" and v.value)
