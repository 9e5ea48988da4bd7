"""Looks at a run: the three witnesses back to back, then the machine and the processes.

Decides when and in which order things are read. Must not know what is wanted of them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

import msgspec

from holdfast.load.counts import FleetSample
from holdfast.load.fleet import Fleet
from holdfast.model.errors import HoldfastError
from holdfast.proof.kernel import PortWitness, Queue
from holdfast.proof.machine import Groups, Machine, Used
from holdfast.proof.moment import Moment, Phase, Witnesses
from holdfast.proof.planned import Key
from holdfast.proof.used import ACCEPT_QUEUE, CLIENT_SOCKETS, read_counts

KERNEL_SHARE: Final = 0.1
"""Counting sockets takes at most this part of a core; for a million of them that is less often
than each second, and the kernel's count is None in between."""
OPENING_SHARE: Final = 0.02
"""While clients are let in: nothing is claimed of these counts, and the opening needs the core."""
GENERATOR: Final = "generator"
WORKERS: Final = "workers"
EDGE: Final = "edge"
"""The group whose sockets clients dial, where there is one; else they dial the workers."""
SERVICES: Final = "services"


class Sighting(msgspec.Struct, frozen=True):
    """One look: the moment as it is shown, and all that it was made of.

    `counts` is what was used of limits that are counted, on the fullest scope of each; `prover_s`
    are the processor seconds of the process that looks.
    """

    moment: Moment
    sample: FleetSample
    machine: Machine
    used: dict[str, Used]
    counts: dict[Key, float]
    prover_s: float

    @property
    def own_s(self) -> float:
        """Processor seconds of all that belongs to the run, so far."""
        return self.prover_s + sum(used.cpu_s for used in self.used.values())


class Watch:
    """Looks when it is told to, and remembers what it needs for differences."""

    def __init__(
        self,
        fleet: Fleet,
        *,
        port: int,
        in_flight: Callable[[], int] | None,
        groups: Callable[[], Mapping[str, Sequence[int]]],
        before: Machine,
        ports: Mapping[str, Sequence[int]],
    ) -> None:
        self._fleet, self._in_flight, self._groups = fleet, in_flight, groups
        self._before = self._machine = before
        self._ports = ports
        self._start_s = self._answered_s = time.monotonic()
        self._answered = 0
        self._lag_s_max = 0.0
        self._queued_most = 0
        self._kernel_due_s = 0.0
        self._users = Groups()
        self.kernel_refused: HoldfastError | None = None
        self._port: PortWitness | None = None
        try:
            self._port = PortWitness(port)
            self._port.queue()
        except HoldfastError as error:
            self.close()
            self.kernel_refused = error

    def sample(self) -> FleetSample:
        """The generator's counts now; cheap, any time."""
        sample = self._fleet.read()
        self._lag_s_max = max(self._lag_s_max, sample.lag_s_max)
        return sample

    def queue(self) -> Queue | None:
        """The server's accept queues now; None where the kernel does not say."""
        if self._port is None:
            return None
        queue = self._port.queue()
        self._queued_most = max(self._queued_most, queue.most)
        return queue

    def users(self) -> dict[str, Used]:
        """What each group of processes uses now."""
        return self._users.read({**self._groups(), GENERATOR: self._fleet.pids})

    def look(self, phase: Phase, *, is_last: bool = False, must_count: bool = False) -> Sighting:
        """One whole look. Each witness is asked for itself; none is derived from another.

        The kernel is asked unless that would be too often; `is_last` or `must_count`: whatever it
        costs.
        """
        sample = self.sample()
        app = None if self._in_flight is None else self._in_flight()
        share = OPENING_SHARE if phase == "opening" else KERNEL_SHARE
        kernel, kernel_idle = self._kernel(share, sample.granted, is_last or must_count)
        queue = self.queue()
        machine, used = Machine.read(), self.users()
        counts = read_counts(self._hops(used), self._ports, is_last=is_last)
        counts[CLIENT_SOCKETS] = sample.sockets
        if queue is not None:
            counts[EDGE if EDGE in used else WORKERS, ACCEPT_QUEUE] = self._queued_most
        at_s = round(sample.at_s - self._start_s, 6)
        passed_s = sample.at_s - self._answered_s
        moment = Moment(
            phase=phase,
            at_s=at_s,
            witnesses=Witnesses(at_s, sample.in_flight, app, kernel),
            rate=(sample.answered - self._answered) / passed_s if passed_s > 0 else 0.0,
            answered=sample.answered,
            failed=sample.failed,
            idle=sample.idle if kernel_idle is None else min(sample.idle, kernel_idle),
            opening=sample.opening,
            queued=queue.queued if queue else 0,
            memory_bytes=machine.growth_bytes(self._before),
            lag_s_max=self._lag_s_max,
            cpu_busy=machine.busy(self._machine),
        )
        self._machine, self._lag_s_max, self._queued_most = machine, 0.0, 0
        self._answered, self._answered_s = sample.answered, sample.at_s
        return Sighting(moment, sample, machine, used, counts, time.process_time())

    def _hops(self, used: Mapping[str, Used]) -> dict[str, Iterable[int]]:
        """Pids by hop. All services are one group, so only a single one is known by its name."""
        groups = {WORKERS: WORKERS, EDGE: EDGE}
        if len(self._ports) == 1:
            groups |= dict.fromkeys(self._ports, SERVICES)
        return {hop: used[group].each_s for hop, group in groups.items() if group in used}

    def close(self) -> None:
        """Give back the kernel's socket."""
        if self._port is not None:
            self._port.close()
            self._port = None

    def _kernel(self, share: float, streams: int, is_due: bool) -> tuple[int | None, int | None]:
        """What occupied connections carry at most, and idle ones, unless it is too soon."""
        now_s, used_s = time.monotonic(), time.thread_time()
        if self._port is None or (now_s < self._kernel_due_s and not is_due):
            return None, None
        seen = self._port.established()
        self._kernel_due_s = now_s + (time.thread_time() - used_s) / share
        return seen.occupied * streams, seen.idle
