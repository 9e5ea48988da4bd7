"""A stack in a child process, as the rest of the program sees it: start, wait, look, stop.

Nothing of the stack outlives this process, whichever of the two is killed.
"""

from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, Final, Self

import msgspec

from holdfast.model.errors import BadInput, HoldfastError
from holdfast.model.values import Value
from holdfast.policy.decide import LAST_CALL_S
from holdfast.stack.config import (
    EdgeEvent,
    Effective,
    Event,
    Failed,
    Report,
    Serving,
    StackConfig,
    StackEvent,
    WorkerState,
)
from holdfast.stack.edge_process import children
from holdfast.stack.orders import Look, Order, Reload, Replace, Scale
from holdfast.stack.warden import bound
from holdfast.wire import Gauge

MARGIN_S: Final = 5.0
"""Beyond the grace time and its last call: for the supervisor's own end."""
_STATES: Final = {
    "started": "starting",
    "ready": "ready",
    "draining": "draining",
    "backoff": "backoff",
    "stopped": "gone",
    "kept": "ready",
}


class StackProcess:
    """Runs a Supervisor in a child process. A context manager: it is stopped at the end."""

    def __init__(self, config: StackConfig) -> None:
        self._config = config
        self._process: subprocess.Popen[bytes] | None = None
        self._changed = threading.Condition()
        self._events: list[Event] = []
        self._edge_events: list[EdgeEvent] = []
        self._stack_events: list[StackEvent] = []
        self._looks: list[Effective] = []
        self._slots: dict[int, WorkerState] = {}
        self._born_s: dict[int, float] = {}
        self._failed: Failed | None = None
        self._is_over = False
        self._serving: Serving | None = None
        self._gauge: Gauge | None = None

    def start(self) -> None:
        """Start the supervisor; it goes on by itself."""
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = bound(
                [sys.executable, "-P", "-m", "holdfast.stack", str(theirs.fileno())],
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
            )
        self._channel = ours
        with contextlib.suppress(OSError):
            ours.sendall(msgspec.json.encode(self._config) + b"\n")
        self._reader = threading.Thread(target=self._read, name="stack reports", daemon=True)
        self._reader.start()

    def wait_until_ready(
        self, timeout_s: float | None = None, on_ready: Callable[[int], None] | None = None
    ) -> None:
        """Wait until every slot answers; raises the HoldfastError that the supervisor reports.

        `on_ready` is told how many answer, whenever something has happened.
        """

        def is_decided() -> bool:
            if on_ready is not None:
                on_ready(sum(slot.state == "ready" for slot in self._slots.values()))
            return bool(self._serving or self._failed or self._is_over)

        with self._changed:
            arrived = self._changed.wait_for(is_decided, timeout_s)
        if self._failed is not None:
            kind = BadInput if self._failed.exit_code == BadInput.exit_code else HoldfastError
            raise kind(self._failed.fault, place=self._failed.place, hint=self._failed.hint)
        if not arrived:
            raise HoldfastError(f"the stack was not ready after {timeout_s} s")
        if self._serving is None:
            status = self._running().wait()
            raise HoldfastError(f"the supervisor ended with status {status} before it was ready")
        if self._gauge is None:
            self._gauge = Gauge(self._serving.gauge)

    @property
    def serving(self) -> Serving:
        """Address, port, gauge path and effective backlog, once ready."""
        if self._serving is None:
            raise RuntimeError("the stack is not ready: call wait_until_ready() first")
        return self._serving

    @property
    def address(self) -> str:
        """The address that it listens on."""
        return self.serving.address

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return self.serving.port

    @property
    def gauge(self) -> Gauge:
        """The count of requests in flight, straight from the workers' memory."""
        if self._gauge is None:
            raise RuntimeError("the stack is not ready: call wait_until_ready() first")
        return self._gauge

    @property
    def supervisor_pid(self) -> int:
        """The supervisor's process id."""
        return self._running().pid

    def workers(self) -> tuple[WorkerState, ...]:
        """Each slot's worker as last reported, by slot."""
        now_s = time.monotonic()
        with self._changed:
            return tuple(
                msgspec.structs.replace(self._slots[slot], age_s=now_s - self._born_s[slot])
                for slot in sorted(self._slots)
            )

    def events(self) -> list[Event]:
        """What happened since this was last asked."""
        with self._changed:
            events, self._events = self._events, []
        return events

    def edge_events(self) -> list[EdgeEvent]:
        """Everything that has happened to the edge's processes."""
        with self._changed:
            return list(self._edge_events)

    def stack_events(self) -> list[StackEvent]:
        """Everything that was asked of the whole stack and has begun, or is over."""
        with self._changed:
            return list(self._stack_events)

    def edge_pids(self) -> tuple[int, ...]:
        """The edge's processes that run, and those that they have started."""
        with self._changed:
            own = [e for e in self._edge_events if e.pid and not e.kind.startswith("edge_worker")]
        last = {event.index: event for event in own}
        pids = [e.pid for e in last.values() if e.kind not in {"edge_died", "edge_stopped"}]
        return tuple(pid for master in pids for pid in (master, *children(master)))

    def replace(self, slot: int) -> None:
        """Have a new worker take the slot, and the present one finish; returns at once.

        Nothing happens to a slot that is not ready, or whose former worker still drains.
        """
        self._send(Replace(slot))

    def reload(self) -> None:
        """Have every worker replaced, one after the other; returns at once."""
        self._send(Reload())

    def scale(self, slots: int) -> None:
        """Have so many slots serve from now on; returns at once."""
        self._send(Scale(slots))

    def effective(self, timeout_s: float = 10.0) -> tuple[Value, ...]:
        """What workers and edge run with now, each value with what was configured.

        `differences` makes findings of it. Raises HoldfastError where the supervisor does not say.
        """
        before = len(self._looks)
        self._send(Look())
        with self._changed:
            self._changed.wait_for(lambda: len(self._looks) > before or self._is_over, timeout_s)
            if len(self._looks) == before:
                raise HoldfastError("the supervisor does not say what it runs with")
            return self._looks[-1].values

    def effective_at_start(self) -> tuple[Value, ...]:
        """What they ran with as soon as all of them answered; to be asked once ready."""
        with self._changed:
            return self._looks[0].values

    def _send(self, request: Order) -> None:
        with contextlib.suppress(OSError):
            self._channel.sendall(msgspec.json.encode(request) + b"\n")

    def is_alive(self) -> bool:
        """Whether the supervisor runs."""
        return self._process is not None and self._process.poll() is None

    def stop(self, timeout_s: float | None = None) -> int:
        """Drain, wait, and return the exit code: 0, or 1 when requests were cut off.

        Waits for the grace time and a little more, or for `timeout_s`; then everything is killed.
        """
        process = self._running()
        if timeout_s is None:
            timeout_s = self._config.grace_s + LAST_CALL_S + MARGIN_S
        for number, patience_s in (
            (signal.SIGTERM, timeout_s),
            (signal.SIGTERM, MARGIN_S),
            (signal.SIGKILL, None),
        ):
            process.send_signal(number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(patience_s)
                break
        self._reader.join()
        self._channel.close()
        return int(process.returncode)

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise RuntimeError("the stack was not started")
        return self._process

    def _read(self) -> None:
        """Take in reports until the supervisor is gone."""
        decoder: msgspec.json.Decoder[Report] = msgspec.json.Decoder(Report)
        with self._channel.makefile("rb") as lines, contextlib.suppress(OSError):
            for line in lines:
                report = decoder.decode(line)
                with self._changed:
                    self._take(report)
                    self._changed.notify_all()
        with self._changed:
            self._is_over = True
            self._changed.notify_all()

    def _take(self, report: Any) -> None:
        match report:
            case Serving():
                self._serving = report
            case Failed():
                self._failed = report
            case EdgeEvent():
                self._edge_events.append(report)
            case StackEvent():
                self._stack_events.append(report)
            case Effective():
                self._looks.append(report)
            case Event():
                self._events.append(report)
                state = _STATES.get(report.kind)
                present = self._slots.get(report.slot)
                older = present is not None and report.generation < present.generation
                if older and report.kind != "kept":
                    return  # of a former worker, whose slot has another one already
                if report.kind == "started":
                    self._born_s[report.slot] = report.at_s
                if state is not None:
                    self._slots[report.slot] = WorkerState(
                        report.slot, report.generation, report.pid, state, 0.0
                    )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self.stop()
