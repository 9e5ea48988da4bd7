"""Acts on what `policy` decides: starts, watches and stops the workers of one stack.

Event driven: sleeps until a worker, a signal or a deadline needs it. Knows no formula of a limit.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import time
from collections.abc import Callable
from typing import Final

import msgspec

from holdfast import wire
from holdfast.model.errors import HoldfastError
from holdfast.policy.decide import Action, GiveUp, Kill, Seen, Start, Stop, Wanted, decide, next_s
from holdfast.policy.slots import Happening, Slot, State, after, killed
from holdfast.stack.checked import check
from holdfast.stack.config import (
    EdgeEvent,
    Effective,
    Event,
    Kind,
    Look,
    Replace,
    Serving,
    StackConfig,
)
from holdfast.stack.crew import Worker
from holdfast.stack.edge import Edge
from holdfast.stack.effective import read_effective
from holdfast.stack.failures import cannot_start, start_failed, start_overdue
from holdfast.stack.limits import raise_nofile
from holdfast.stack.listen import Listening
from holdfast.stack.loop import Lifeline, Loop
from holdfast.stack.register import registered
from holdfast.stack.run_dir import RunDir
from holdfast.stack.slot_sockets import SlotSockets
from holdfast.stack.warden import Brood

LOGS_EVERY_S: Final = 5.0
"""How often the length of the workers' logs is looked at: what they print in between is not cut."""


class Supervisor:
    """Runs one stack in this process's main thread.

    `report` is called with every Event, and once with Serving; `report_edge` with what the edge
    does. When `lifeline` reaches its end (whoever holds the other one is gone), all is killed.
    """

    def __init__(
        self,
        config: StackConfig,
        report: Callable[[Event | Serving], None],
        lifeline: socket.socket | None = None,
        report_edge: Callable[[EdgeEvent | Effective], None] | None = None,
    ) -> None:
        self._config = config
        self._report = report
        self._report_edge = report_edge or (lambda _: None)
        self._lifeline = None if lifeline is None else Lifeline(lifeline)
        self._slots = [Slot(index) for index in range(config.slots)]
        self._wanted = Wanted(
            slots=config.slots,
            grace_s=config.grace_s,
            start_s=config.start_s,
            at_once=len(os.sched_getaffinity(0)) + 1,
        )
        self._workers_served = self._served = False
        self._workers: dict[int, Worker] = {}
        self._former: dict[int, Worker] = {}
        self._leaving: dict[int, Slot] = {}
        """Of each slot that is being replaced: its former worker, and the state of that one."""
        self._edge: Edge | None = None
        self._port: Listening | None = None
        self._stop_s: float | None = None
        self._error: HoldfastError | None = None
        self._last_failure: HoldfastError | None = None
        self._cut = 0
        self._logs_due_s = 0.0
        self._loop = Loop()

    def run(self) -> int:
        """Start, serve until SIGINT or SIGTERM (a second one kills), and stop.

        Returns 0, or 1 when the stop cut requests off. Raises HoldfastError when it cannot start.
        """
        check(self._config)
        raise_nofile(self._config.nofile)
        config = self._config
        with contextlib.ExitStack() as undo:
            undo.callback(self._loop.close)
            undo.enter_context(self._loop.signals(self._told_to_stop))
            self._listen(undo)
            private = self._run_dir.path if self._run_dir.is_private else ""
            self._brood = undo.enter_context(Brood(remove=private))
            rows = 2 * config.slots  # a slot that is being replaced has two workers
            self._gauge = wire.Gauge(self._run_dir.gauge, create_rows=rows)
            self._free_rows = list(range(rows))
            if self._port is not None:
                port, gauge = self._port.port, self._run_dir.gauge
                undo.enter_context(registered(config.address, port, gauge))
            if self._lifeline is not None:
                self._loop.watch(self._lifeline.fileno(), self._lifeline_moved)
            self._go_on()
        if self._error is not None:
            raise self._error
        return 1 if self._cut else 0

    def _listen(self, undo: contextlib.ExitStack) -> None:
        """Take the port first, so that a refusal leaves nothing behind; then the run folder."""
        config = self._config
        tcp: Listening | None = None
        if config.edge is not None:
            self._edge = Edge(config, self._loop, self._report_edge, self._all_ready)
            undo.callback(self._edge.close)
            self._port = self._edge.listening
        elif config.listen == "tcp":
            tcp = Listening(config.address, config.port, config.slots, config.backlog)
            undo.callback(tcp.close)
            self._port = tcp
        self._run_dir = RunDir(config.run_dir)
        undo.callback(self._run_dir.close)
        group = -1 if self._edge is None else self._edge.group
        self._listening = tcp or SlotSockets(self._run_dir.path, config.backlog, group)
        undo.callback(self._listening.close)

    def _go_on(self) -> None:
        while True:
            now_s = time.monotonic()
            edge_due_s = None if self._edge is None else self._step(self._edge, now_s)
            while actions := decide(self._wanted, self._seen(), now_s):
                for action in actions:
                    self._act(action)
            if self._is_over():
                return
            self._bound_logs(now_s)
            found = (edge_due_s, next_s(self._wanted, self._seen(), now_s), self._logs_due_s)
            due_s = min(at_s for at_s in found if at_s is not None)
            self._loop.wait(max(0.0, due_s - time.monotonic()))

    def _bound_logs(self, now_s: float) -> None:
        if now_s >= self._logs_due_s:
            self._logs_due_s = now_s + LOGS_EVERY_S
            for worker in (*self._workers.values(), *self._former.values()):
                worker.bound_log()

    def _is_over(self) -> bool:
        gone = all(slot.state is State.GONE for slot in self._slots)
        return gone and not self._former and (self._edge is None or self._edge.is_gone)

    def _step(self, edge: Edge, now_s: float) -> float | None:
        """Let the edge act; once it is gone in a stop, the workers stop too."""
        due_s = edge.step(now_s)
        if edge.error is not None and not edge.has_served and self._stop_s is None:
            self._error = edge.error
            self._stop_all(hurry=True)
        if self._stop_s is not None and edge.is_gone and self._wanted.slots:
            if edge.was_killed:
                self._cut += self._gauge.in_flight()
            left_s = max(0.0, self._config.grace_s - (now_s - self._stop_s))
            self._wanted = msgspec.structs.replace(self._wanted, slots=0, grace_s=left_s)
            self._listening.let_go()
        return due_s

    def _seen(self) -> Seen:
        return Seen(tuple(self._slots), self._workers_served, tuple(self._leaving.values()))

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
            case GiveUp(reason=reason):
                self._error = self._last_failure or HoldfastError(reason)
                self._stop_all(hurry=True)

    def _start(self, index: int) -> None:
        self._happened(index, Happening.START)
        self._spawn(index)

    def _replace(self, index: int) -> None:
        """Start a second worker in the slot; the first one drains once the second is ready."""
        if index in self._former or self._slots[index].state is not State.READY:
            return
        self._leaving[index], self._former[index] = self._slots[index], self._workers.pop(index)
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
            self._happened(index, Happening.DIE)
            return
        self._free_rows.remove(row)
        self._workers[index] = worker
        self._loop.watch(worker.pidfd, lambda: self._died(worker))
        self._loop.watch(worker.control.fileno(), lambda: self._heard(worker))
        self._tell("started", worker)

    def _stop(self, index: int) -> None:
        was = self._slots[index].state
        self._happened(index, Happening.STOP)
        worker = self._workers.get(index)
        if worker is None:
            return
        if was is State.READY:
            worker.drain()
        else:
            worker.signal(signal.SIGTERM)
        self._tell("draining", worker)

    def _drain_former(self, index: int) -> None:
        """The worker that is being replaced takes no more, and finishes what it holds."""
        leaving = self._leaving.get(index)
        if leaving is not None and leaving.state is State.READY:
            self._leaving[index] = after(leaving, Happening.STOP, time.monotonic())
            self._former[index].drain()
            self._tell("draining", self._former[index])

    def _kill(self, index: int) -> None:
        worker = self._workers[index]
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
            if self._edge is not None:
                self._edge.moved(index)
        else:
            self._listening.drop(index)
        ready = all(slot.state is State.READY for slot in self._slots)
        if ready and not self._workers_served:
            self._workers_served = True
            if self._edge is None:
                self._all_ready()
            else:
                self._edge.start(self._run_dir, self._brood)

    def _all_ready(self) -> None:
        """Every worker and every process of the edge answers; told once."""
        if self._served:
            return
        self._served = True
        address, port = ("", 0) if self._port is None else (self._port.address, self._port.port)
        run_dir, backlog = self._run_dir, self._listening.backlog
        self._report(Serving(address, port, run_dir.gauge, run_dir.path, backlog))

    def _died(self, worker: Worker) -> None:
        while self._heard(worker):
            pass
        status = worker.reap()
        lost = worker.holds(self._gauge)
        self._gauge.free(worker.row)
        self._free_rows.append(worker.row)
        output = worker.last_output()
        index, is_former = worker.slot, self._former.get(worker.slot) is worker
        was = self._leaving.pop(index) if is_former else self._slots[index]
        if is_former:
            del self._former[index]
            self._listening.drop(index)
        else:
            del self._workers[index]
            self._happened(index, Happening.DIE)
        if was.state is State.DRAINING:
            if lost and not worker.has_cut:
                self._count_cut(worker, lost)
            self._tell("stopped", worker, status=status)
        else:
            if was.state is State.STARTING and not was.killed:
                self._last_failure = start_failed(worker.failed, status, output)
            self._tell("died", worker, status=status, in_flight=lost, text=output)
            if not is_former:
                delay_s = self._slots[index].due_s - time.monotonic()
                self._tell("backoff", worker, delay_s=max(0.0, delay_s))
        for fd in (worker.pidfd, worker.control.fileno()):
            self._loop.unwatch(fd)
        if worker.probe is not None:
            self._loop.unwatch(worker.probe.fileno())
        worker.close()

    def _count_cut(self, worker: Worker, requests: int) -> None:
        self._cut += requests
        self._tell("cut", worker, in_flight=requests)

    def _stop_all(self, *, hurry: bool) -> None:
        """From now on no slot is wanted; new connections are refused as the workers let go.

        An edge goes first: it finishes what it holds, and the workers have nobody to serve then.
        """
        hurry = hurry or self._wanted.hurry
        self._stop_s = self._stop_s or time.monotonic()
        if self._edge is not None:
            self._edge.stop(hurry=hurry)
            if not hurry and not self._edge.is_gone:
                return
        self._wanted = msgspec.structs.replace(self._wanted, slots=0, hurry=hurry)
        self._listening.let_go()

    def _told_to_stop(self) -> None:
        self._stop_all(hurry=self._stop_s is not None)

    def _lifeline_moved(self) -> None:
        assert self._lifeline is not None
        requests = self._lifeline.requests()
        if requests is None:
            self._loop.unwatch(self._lifeline.fileno())
            self._stop_all(hurry=True)
        for request in requests or ():
            match request:
                case Replace(slot=slot) if 0 <= slot < len(self._slots) and self._stop_s is None:
                    self._replace(slot)
                case Look():
                    self._look()

    def _look(self) -> None:
        edge, configured = self._edge, self._config.edge
        values = () if edge is None or configured is None else read_effective(edge, configured.hop)
        self._report_edge(Effective(values))

    def _happened(self, index: int, happening: Happening) -> None:
        self._slots[index] = after(self._slots[index], happening, time.monotonic())

    def _tell(
        self,
        kind: Kind,
        worker: Worker,
        *,
        status: int | None = None,
        in_flight: int = 0,
        delay_s: float = 0.0,
        text: str = "",
    ) -> None:
        slot, generation, at_s = worker.slot, worker.generation, time.monotonic()
        self._report(
            Event(kind, at_s, slot, generation, worker.pid, status, in_flight, delay_s, text)
        )
