"""The workers of a stack: one process a slot, started, asked, replaced and stopped as told.

Event driven by its supervisor: `step` acts on what `policy` decides. Knows no edge and no port.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator

import msgspec

from holdfast import wire
from holdfast.model.errors import HoldfastError
from holdfast.policy.decide import (
    Action,
    GiveUp,
    Kill,
    Replace,
    Seen,
    Start,
    Stop,
    Wanted,
    decide,
    next_s,
)
from holdfast.policy.slots import LIVE, Happening, Slot, State, after, excused, killed, restored
from holdfast.stack.config import Event, Kind, StackConfig
from holdfast.stack.crew import Worker
from holdfast.stack.edge_slots import Moved
from holdfast.stack.failures import cannot_start, start_failed, start_overdue, whole
from holdfast.stack.listen import Listening
from holdfast.stack.loop import Loop
from holdfast.stack.outdated import Outdated
from holdfast.stack.run_dir import LOGS_EVERY_S, RunDir
from holdfast.stack.slot_sockets import SlotSockets
from holdfast.stack.warden import Brood


class Workers:
    """Runs `config.slots` workers, each on its slot's socket of `listening`.

    `loop` is the supervisor's; `report` is called with every Event, `moved` with each slot whose
    newest worker has taken over, or whose last one takes no more; `ready` once, when all have
    answered.
    """

    def __init__(
        self,
        config: StackConfig,
        loop: Loop,
        report: Callable[[Event], None],
        moved: Callable[[int, Moved], None],
        ready: Callable[[], None],
    ) -> None:
        self._config = config
        self._loop, self._report, self._moved, self._ready = loop, report, moved, ready
        self._slots = [Slot(index) for index in range(config.slots)]
        self._wanted = Wanted(
            slots=config.slots,
            grace_s=config.grace_s,
            start_s=config.start_s,
            at_once=len(os.sched_getaffinity(0)) + 1,
            drains=config.drains or config.most_slots,
        )
        self._present: dict[int, Worker] = {}
        self._former: dict[int, Worker] = {}
        self._leaving: dict[int, Slot] = {}
        """Of each slot that is being replaced: its former worker, and the state of that one."""
        self.outdated = Outdated()
        self._hidden: dict[int, float] = {}
        """Slots whose worker is told to drain at that time: until then connections arrive."""
        self._served = False
        self._logs_due_s = 0.0
        self._last_failure: HoldfastError | None = None
        self.error: HoldfastError | None = None
        """Why they were given up: none of the first may die before it has answered."""
        self.cut = 0
        """Requests that were cut off in a drain."""
        self.last_output = ""
        """Of the worker that died last."""

    def start(self, run_dir: RunDir, brood: Brood, listening: Listening | SlotSockets) -> None:
        """Make the gauge in the run folder; from now on `step` starts them."""
        self._run_dir, self._brood, self._listening = run_dir, brood, listening
        rows = 2 * self._config.most_slots  # a slot that is being replaced has two workers
        self.gauge = wire.Gauge(run_dir.gauge, create_rows=rows)
        self._free_rows = list(range(rows))

    def step(self, now_s: float) -> float:
        """Do what is to do now; when it wants to be called again, if nothing happens before."""
        while actions := decide(self._wanted, self._seen(), now_s):
            for action in actions:
                self._act(action)
        for index in [index for index, due_s in self._hidden.items() if due_s <= now_s]:
            del self._hidden[index]
            self._present[index].drain()
        if now_s >= self._logs_due_s:
            self._logs_due_s = now_s + LOGS_EVERY_S
            for worker in (*self._present.values(), *self._former.values()):
                worker.bound_log()
        due_s = next_s(self._wanted, self._seen(), now_s)
        others = (self._logs_due_s, *self._hidden.values())
        return min(others) if due_s is None else min(due_s, *others)

    def excuse(self, for_s: float, now_s: float) -> None:
        """The supervisor stood still for so long: nobody's time counts against it."""
        self._slots = [excused(slot, for_s, now_s) for slot in self._slots]
        self._leaving = {i: excused(s, for_s, now_s) for i, s in self._leaving.items()}

    def stop(self, *, hurry: bool = False, grace_s: float | None = None) -> None:
        """Take nothing new, finish what is held within `grace_s`, and end; kill in a `hurry`."""
        grace_s = self._wanted.grace_s if grace_s is None else grace_s
        self._wanted = msgspec.structs.replace(
            self._wanted, slots=0, hurry=hurry or self._wanted.hurry, grace_s=grace_s
        )
        self._listening.let_go()

    def replace(self, why: str, only: int | None = None) -> int:
        """Have a new worker take each slot, or `only` that one; how many will be replaced.

        One after the other a second worker starts, and the first one drains once that is ready. Not
        replaced is who is not ready, or whose former worker still drains, where one is named.
        """
        states = {State.READY, State.STARTING} if only is None else {State.READY}
        slots = [slot for slot in self._slots[: self._wanted.slots] if slot.state in states]
        if only is not None:
            slots = [s for s in slots if s.index == only and only not in self._former]
        self.outdated.mark(((slot.index, slot.generation) for slot in slots), why)
        self._want_replaced()
        return len(slots)

    def scale(self, slots: int) -> None:
        """From now on so many slots shall serve; those above drain. At least one."""
        self._slots += [Slot(index) for index in range(len(self._slots), slots)]
        self._wanted = msgspec.structs.replace(self._wanted, slots=slots)

    @property
    def has_scaled(self) -> bool:
        """Whether all slots that are wanted are served, and no other has a worker."""
        wanted, others = self._slots[: self._wanted.slots], self._slots[self._wanted.slots :]
        served = all(slot.state is State.READY or slot.index in self._former for slot in wanted)
        left = (slot.state in LIVE or slot.index in self._former for slot in others)
        return served and not any(left)

    @property
    def wanted(self) -> int:
        """How many slots shall serve."""
        return self._wanted.slots

    def states(self) -> Iterator[tuple[Slot, Worker | None, bool, str]]:
        """Each slot that is not given up and its worker; former ones, too; and why it is replaced.

        The flag says that it is a former one.
        """
        present = ((slot, self._present.get(slot.index), False) for slot in self._slots)
        former = ((slot, self._former[index], True) for index, slot in self._leaving.items())
        for slot, worker, is_former in (*present, *former):
            if worker is not None or slot.index < self._wanted.slots:
                yield slot, worker, is_former, self.outdated.why((slot.index, slot.generation))

    def pids(self) -> tuple[int, ...]:
        """The process of each slot's newest worker that runs, by slot."""
        return tuple(self._present[index].pid for index in sorted(self._present))

    @property
    def is_gone(self) -> bool:
        """Whether none of them runs or will."""
        return not self._former and all(slot.state is State.GONE for slot in self._slots)

    @property
    def is_stopping(self) -> bool:
        """Whether none is wanted any more."""
        return not self._wanted.slots

    def _seen(self) -> Seen:
        return Seen(tuple(self._slots), self._served, tuple(self._leaving.values()))

    def _act(self, action: Action) -> None:
        match action:
            case Start(slot=index):
                self._start(index)
            case Stop(slot=index, generation=0):
                self._stop(index)
            case Stop(slot=index):
                self._drain_former(index)
            case Kill(slot=index, generation=0):
                self._kill(index)
            case Kill(slot=index):
                self._leaving[index] = killed(self._leaving[index])
                self._former[index].signal(signal.SIGKILL)
            case Replace(slot=index):
                self._replace(index)
            case GiveUp(reason=reason):
                self.error = self._last_failure or HoldfastError(reason)
                self.stop(hurry=True)

    def _start(self, index: int) -> None:
        self._happened(index, Happening.START)
        self._spawn(index)

    def _replace(self, index: int) -> None:
        self._leaving[index], self._former[index] = self._slots[index], self._present.pop(index)
        if self._hidden.pop(index, None) is not None:
            self._former[index].drain()  # who still arrives is its successor's
        self._happened(index, Happening.REPLACE)
        self._spawn(index, renew=True)

    def _spawn(self, index: int, *, renew: bool = False) -> None:
        generation, row = self._slots[index].generation, self._free_rows[0]
        try:
            if renew:
                self._listening.renew(index, generation)
            listener = self._listening.listener(index, generation)
            worker = Worker(
                self._config, self._run_dir, self._brood, listener, index, generation, row
            )
        except OSError as error:
            self._last_failure = cannot_start("a worker", error)
            self._ended_early(index, whole(self._last_failure))
            return
        self._free_rows.remove(row)
        self._present[index] = worker
        self._loop.watch(worker.pidfd, lambda: self._died(worker))
        self._loop.watch(worker.control.fileno(), lambda: self._heard(worker))
        self._tell("started", worker, text=worker.unlogged)

    def _stop(self, index: int) -> None:
        was = self._slots[index].state
        self._happened(index, Happening.STOP)
        worker = self._present.get(index)
        if worker is None:
            return
        if was is not State.READY:
            worker.signal(signal.SIGTERM)
        elif self._wanted.slots:
            self._listening.hide(index)
            self._moved(index, "left")
            self._hidden[index] = time.monotonic() + self._listening.arrive_s
        else:
            worker.drain()
        self._tell("draining", worker)

    def _ended_early(self, index: int, output: str) -> None:
        """The slot's newest worker has died, or was never there: whoever it was to follow stays."""
        self.last_output = output
        failed, former = self._slots[index], self._leaving.get(index)
        if failed.state is not State.STARTING or former is None or former.state is not State.READY:
            self._happened(index, Happening.DIE)
            self._tell_backoff(index)
            return
        self._slots[index] = restored(former, failed)
        self._present[index] = self._former.pop(index)
        del self._leaving[index]
        self._listening.restore(index, failed.generation)
        leaving = frozenset((slot.index, slot.generation) for slot in self._leaving.values())
        self.outdated.failed((index, former.generation), output, leaving)
        self._want_replaced()
        self._tell("kept", self._present[index], text=output)

    def _tell_backoff(self, index: int) -> None:
        """Nobody serves the slot, and when it starts again is known; also without a process."""
        slot, now_s = self._slots[index], time.monotonic()
        if slot.state is State.BACKOFF:
            delay_s = max(0.0, slot.due_s - now_s)
            self._report(Event("backoff", now_s, index, slot.generation, delay_s=delay_s))

    def _want_replaced(self) -> None:
        self._wanted = msgspec.structs.replace(self._wanted, outdated=self.outdated.workers)

    def _drain_former(self, index: int) -> None:
        """The worker that is being replaced takes no more, and finishes what it holds."""
        leaving = self._leaving.get(index)
        if leaving is not None and leaving.state is State.READY:
            self._leaving[index] = after(leaving, Happening.STOP, time.monotonic())
            self._former[index].drain()
            self._tell("draining", self._former[index])

    def _kill(self, index: int) -> None:
        worker = self._present[index]
        if self._slots[index].state is State.STARTING:
            self._last_failure = start_overdue(self._config.start_s, worker.last_output())
        self._slots[index] = killed(self._slots[index])
        worker.signal(signal.SIGKILL)

    def _heard(self, worker: Worker) -> bool:
        """Take in the worker's messages; False when there will be no more."""
        messages = worker.hear()
        if messages is None:
            self._loop.unwatch(worker.control.fileno())
            return False
        for message in messages:
            match message:
                case {"type": wire.READY}:
                    self._ask(worker)
                case {"type": wire.CUT, "requests": int(requests)}:
                    worker.has_cut = True
                    self._count_cut(worker, requests)
                case {"type": wire.TOLD, "websockets": int(sockets), "streams": int(streams)}:
                    text = f"to come back: {sockets:,} websockets, {streams:,} event streams"
                    self._tell("told", worker, text=text)
                case {"type": wire.FAILED}:
                    worker.failed = message
        return bool(messages)

    def _ask(self, worker: Worker) -> None:
        if worker.ask() and worker.probe is not None:
            self._loop.watch(worker.probe.fileno(), lambda: self._answered(worker))
        else:
            worker.signal(signal.SIGKILL)

    def _answered(self, worker: Worker) -> None:
        answered = worker.has_answered()
        if answered is None or worker.probe is None:
            return
        self._loop.unwatch(worker.probe.fileno())
        worker.forget_probe()  # gunicorn's workers wait for it to close before they go on
        if not answered:
            worker.signal(signal.SIGKILL)
        elif self._slots[worker.slot].state is State.STARTING:
            self._happened(worker.slot, Happening.ANSWER)
            self._tell("ready", worker)
            self._show(worker.slot)

    def _show(self, index: int) -> None:
        """The slot's newest worker answers: from now on it is the one."""
        self._listening.show(index)
        if index in self._former:
            self._drain_former(index)
            self._moved(index, "moved")
        else:
            self._listening.drop(index)
            self._moved(index, "came")
        if not self._served and all(slot.state is State.READY for slot in self._slots):
            self._served = True
            self._ready()

    def _died(self, worker: Worker) -> None:
        while self._heard(worker):
            pass
        status = worker.reap()
        lost = worker.holds(self.gauge)
        self.gauge.free(worker.row)
        self._free_rows.append(worker.row)
        output = worker.last_output()
        index, is_former = worker.slot, self._former.get(worker.slot) is worker
        was = self._leaving.pop(index) if is_former else self._slots[index]
        self.outdated.ended((index, worker.generation))
        self._want_replaced()
        if is_former:
            del self._former[index]
            self._listening.drop(index)
        else:
            del self._present[index]
            self._hidden.pop(index, None)
        if was.state is State.DRAINING:
            if lost and not worker.has_cut:
                self._count_cut(worker, lost)
            self._tell("stopped", worker, status=status)
        else:
            if was.state is State.STARTING and not was.killed:
                self._last_failure = start_failed(worker.failed, status, output)
            self._tell("died", worker, status=status, in_flight=lost, text=output)
            if was.state is State.STARTING and self._last_failure is not None:
                output = whole(self._last_failure)
        if not is_former:
            self._ended_early(index, output)
            if self._slots[index].state is State.GONE and self._wanted.slots:
                self._listening.forget(index)
        for fd in (worker.pidfd, worker.control.fileno()):
            self._loop.unwatch(fd)
        if worker.probe is not None:
            self._loop.unwatch(worker.probe.fileno())
        worker.close()

    def _count_cut(self, worker: Worker, requests: int) -> None:
        self.cut += requests
        self._tell("cut", worker, in_flight=requests)

    def _happened(self, index: int, happening: Happening) -> None:
        self._slots[index] = after(self._slots[index], happening, time.monotonic())

    def _tell(
        self,
        kind: Kind,
        worker: Worker,
        *,
        status: int | None = None,
        in_flight: int = 0,
        text: str = "",
    ) -> None:
        slot, generation, at_s = worker.slot, worker.generation, time.monotonic()
        self._report(Event(kind, at_s, slot, generation, worker.pid, status, in_flight, text=text))
