"""Acts on what `policy` decides: starts, watches and stops the workers of one stack.

Event driven: sleeps until a worker, a signal or a deadline needs it. Knows no formula of a limit.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import socket
import time
from collections.abc import Callable, Iterator
from typing import Final

import msgspec

from holdfast import wire
from holdfast.model.errors import BadInput, HoldfastError
from holdfast.policy.decide import Action, GiveUp, Kill, Seen, Start, Stop, Wanted, decide, next_s
from holdfast.policy.slots import Happening, Slot, State, after, killed
from holdfast.stack.config import Event, Kind, Serving, StackConfig
from holdfast.stack.crew import Worker
from holdfast.stack.failures import start_failed, start_overdue
from holdfast.stack.limits import raise_nofile
from holdfast.stack.listen import Listening
from holdfast.stack.register import registered
from holdfast.stack.run_dir import RunDir
from holdfast.stack.warden import Brood

LOGS_EVERY_S: Final = 5.0
"""How often the length of the workers' logs is looked at: what they print in between is not cut."""


class Supervisor:
    """Runs one stack in this process's main thread.

    `report` is called with every Event, and once with Serving. When `lifeline` reaches its end
    (whoever holds the other one is gone), everything is killed.
    """

    def __init__(
        self,
        config: StackConfig,
        report: Callable[[Event | Serving], None],
        lifeline: socket.socket | None = None,
    ) -> None:
        self._config = config
        self._report = report
        self._lifeline = lifeline
        self._slots = [Slot(index) for index in range(config.slots)]
        self._wanted = Wanted(
            slots=config.slots,
            grace_s=config.grace_s,
            start_s=config.start_s,
            at_once=len(os.sched_getaffinity(0)) + 1,
        )
        self._served = False
        self._workers: dict[int, Worker] = {}
        self._error: HoldfastError | None = None
        self._last_failure: HoldfastError | None = None
        self._cut = 0
        self._logs_due_s = 0.0
        self._ready: dict[int, Callable[[], object]] = {}
        self._selector = selectors.DefaultSelector()

    def run(self) -> int:
        """Start, serve until SIGINT or SIGTERM (a second one kills), and stop.

        Returns 0, or 1 when the stop cut requests off. Raises HoldfastError when it cannot start.
        """
        _check(self._config)
        raise_nofile(self._config.nofile)
        config = self._config
        with contextlib.ExitStack() as undo:
            undo.callback(self._selector.close)
            undo.enter_context(self._signals())
            self._listening = Listening(config.address, config.port, config.slots, config.backlog)
            undo.callback(self._listening.close)
            self._run_dir = RunDir(config.run_dir)
            undo.callback(self._run_dir.close)
            private = self._run_dir.path if self._run_dir.is_private else ""
            self._brood = undo.enter_context(Brood(remove=private))
            self._gauge = wire.Gauge(self._run_dir.gauge, create_rows=config.slots)
            undo.enter_context(
                registered(config.address, self._listening.port, self._run_dir.gauge)
            )
            if self._lifeline is not None:
                self._watch(self._lifeline.fileno(), self._lifeline_moved)
            self._loop()
        if self._error is not None:
            raise self._error
        return 1 if self._cut else 0

    def _loop(self) -> None:
        while True:
            now_s = time.monotonic()
            while actions := decide(self._wanted, self._seen(), now_s):
                for action in actions:
                    self._act(action)
            if all(slot.state is State.GONE for slot in self._slots):
                return
            self._bound_logs(now_s)
            due_s = next_s(self._wanted, self._seen(), now_s) or self._logs_due_s
            timeout_s = max(0.0, min(due_s, self._logs_due_s) - time.monotonic())
            for key, _ in self._selector.select(timeout_s):
                if key.fd in self._ready:  # an earlier one of this round may have closed it
                    self._ready[key.fd]()

    def _bound_logs(self, now_s: float) -> None:
        if now_s >= self._logs_due_s:
            self._logs_due_s = now_s + LOGS_EVERY_S
            for worker in self._workers.values():
                worker.bound_log()

    def _seen(self) -> Seen:
        return Seen(tuple(self._slots), self._served)

    def _act(self, action: Action) -> None:
        match action:
            case Start(slot=index):
                self._start(index)
            case Stop(slot=index):
                self._stop(index)
            case Kill(slot=index):
                self._kill(index)
            case GiveUp(reason=reason):
                self._error = self._last_failure or HoldfastError(reason)
                self._stop_all(hurry=True)

    def _start(self, index: int) -> None:
        self._happened(index, Happening.START)
        generation = self._slots[index].generation
        listener = self._listening.sockets[index]
        try:
            worker = Worker(self._config, self._run_dir, self._brood, listener, index, generation)
        except OSError as error:
            self._last_failure = HoldfastError(
                f"cannot start a worker: {error.strerror}",
                place=error.filename,
                hint="see `ulimit -a` and the pids and memory limits of this control group",
            )
            self._happened(index, Happening.DIE)
            return
        self._workers[index] = worker
        self._watch(worker.pidfd, lambda: self._died(worker))
        self._watch(worker.control.fileno(), lambda: self._heard(worker))
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
            self._unwatch(worker.control.fileno())
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
            self._watch(worker.probe.fileno(), lambda: self._answered(worker))
        else:
            worker.signal(signal.SIGKILL)

    def _answered(self, worker: Worker) -> None:
        answered = worker.has_answered()
        if answered is None or worker.probe is None:
            return
        self._unwatch(worker.probe.fileno())
        if not answered:
            worker.signal(signal.SIGKILL)
        elif self._slots[worker.slot].state is State.STARTING:
            self._happened(worker.slot, Happening.ANSWER)
            self._tell("ready", worker)
            if not self._served and all(slot.state is State.READY for slot in self._slots):
                self._served = True
                listening, run_dir = self._listening, self._run_dir
                self._report(
                    Serving(
                        listening.address,
                        listening.port,
                        run_dir.gauge,
                        run_dir.path,
                        listening.backlog,
                    )
                )

    def _died(self, worker: Worker) -> None:
        while self._heard(worker):
            pass
        status = worker.reap()
        lost = self._lost(worker)
        self._gauge.free(worker.slot)
        was = self._slots[worker.slot]
        self._happened(worker.slot, Happening.DIE)
        output = worker.last_output()
        if was.state is State.DRAINING:
            if lost and not worker.has_cut:
                self._count_cut(worker, lost)
            self._tell("stopped", worker, status=status)
        else:
            if was.state is State.STARTING and not was.killed:
                self._last_failure = start_failed(worker.failed, status, output)
            self._tell("died", worker, status=status, in_flight=lost, text=output)
            delay_s = self._slots[worker.slot].due_s - time.monotonic()
            self._tell("backoff", worker, delay_s=max(0.0, delay_s))
        for fd in (worker.pidfd, worker.control.fileno()):
            self._unwatch(fd)
        if worker.probe is not None:
            self._unwatch(worker.probe.fileno())
        worker.close()
        del self._workers[worker.slot]

    def _lost(self, worker: Worker) -> int:
        words = self._gauge.words(worker.slot)
        if words[wire.PID] != worker.pid:
            return 0
        return int(words[wire.STARTED] - words[wire.FINISHED])

    def _count_cut(self, worker: Worker, requests: int) -> None:
        self._cut += requests
        self._tell("cut", worker, in_flight=requests)

    def _stop_all(self, *, hurry: bool) -> None:
        """From now on no slot is wanted; new connections are refused as the workers let go."""
        hurry = hurry or self._wanted.hurry
        self._wanted = msgspec.structs.replace(self._wanted, slots=0, hurry=hurry)
        self._listening.let_go()

    def _lifeline_moved(self) -> None:
        assert self._lifeline is not None
        try:
            is_over = not self._lifeline.recv(4096)
        except OSError:
            is_over = True
        if is_over:
            self._unwatch(self._lifeline.fileno())
            self._stop_all(hurry=True)

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        """SIGINT and SIGTERM arrive as bytes that wake the loop."""
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        theirs.setblocking(False)
        handled = (signal.SIGINT, signal.SIGTERM)
        before = {number: signal.signal(number, lambda *_: None) for number in handled}
        wakeup = signal.set_wakeup_fd(theirs.fileno(), warn_on_full_buffer=False)

        def arrived() -> None:
            for number in ours.recv(64):
                if number in handled:
                    self._stop_all(hurry=not self._wanted.slots)

        self._watch(ours.fileno(), arrived)
        try:
            yield
        finally:
            signal.set_wakeup_fd(wakeup)
            for number, handler in before.items():
                signal.signal(number, handler)
            ours.close()
            theirs.close()

    def _happened(self, index: int, happening: Happening) -> None:
        self._slots[index] = after(self._slots[index], happening, time.monotonic())

    def _watch(self, fd: int, ready: Callable[[], object]) -> None:
        self._ready[fd] = ready
        self._selector.register(fd, selectors.EVENT_READ)

    def _unwatch(self, fd: int) -> None:
        if self._ready.pop(fd, None) is not None:
            self._selector.unregister(fd)

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
        self._report(
            Event(
                kind,
                time.monotonic(),
                worker.slot,
                worker.generation,
                worker.pid,
                status,
                in_flight,
                delay_s,
                text,
            )
        )


def _check(config: StackConfig) -> None:
    module, _, attribute = config.app.partition(":")
    if not module or not attribute:
        hint = "write it as `module:attribute`, like `shop:app`"
        raise BadInput(f"`{config.app}` names no app", hint=hint)
    if not os.path.isdir(config.app_dir):
        hint = "name the folder that holds the app's module"
        raise BadInput(f"there is no folder `{config.app_dir}`", place=config.app_dir, hint=hint)
    if config.slots < 1:
        raise BadInput(f"{config.slots} slots serve nothing", hint="use 1 slot or more")
