"""One stack: its port, its folder, its workers and its edge, from the first start to the stop.

Event driven: sleeps until a worker, a signal or a deadline needs it. Knows no formula of a limit.
"""

from __future__ import annotations

import contextlib
import math
import signal
import socket
import time
from collections.abc import Callable
from typing import Final

import msgspec

from holdfast.model.errors import BadInput, HoldfastError
from holdfast.stack.care import Care
from holdfast.stack.checked import check
from holdfast.stack.config import (
    EdgeEvent,
    Effective,
    Event,
    Happened,
    Serving,
    StackConfig,
    StackEvent,
    StackKind,
)
from holdfast.stack.control import Client, ControlSocket
from holdfast.stack.edge import Edge
from holdfast.stack.edge_slots import Moved
from holdfast.stack.effective import read_edge, read_somaxconn, read_workers
from holdfast.stack.limits import raise_nofile
from holdfast.stack.listen import Listening
from holdfast.stack.log_room import LogRoom
from holdfast.stack.loop import Lifeline, Loop, has_terminal
from holdfast.stack.operator import Operator
from holdfast.stack.orders import (
    Done,
    Down,
    Drain,
    Look,
    Order,
    Reload,
    Replace,
    Running,
    Scale,
    Status,
)
from holdfast.stack.register import registered
from holdfast.stack.run_dir import RunDir
from holdfast.stack.scaling import Scaling
from holdfast.stack.seen import running
from holdfast.stack.slot_sockets import SlotSockets
from holdfast.stack.warden import Brood
from holdfast.stack.workers import Workers

STILL_S: Final = 1.0
"""A turn that comes so much later than it was wanted: the supervisor was stopped, or its machine.
A busy machine makes one wait for less."""
TOLD_S: Final = 5.0
"""A standstill that is told: past 10 s an edge ends connections that have not asked yet."""


class Supervisor:
    """Runs one stack in this process's main thread.

    `report` is called with all that happens, once with Serving, and with what the stack runs with:
    once everything answers, and when it is asked. When `lifeline` reaches its end (whoever holds
    the other one is gone), all is killed. `turn` is called in each turn of the loop with the time,
    and says when it wants to be called again.

    Orders come over the control socket of its run folder, from `lifeline`, and as signals: INT and
    TERM end it (a second one kills), HUP reloads, TTIN and TTOU are one worker more and one fewer,
    USR1 looks at what it runs with.
    """

    def __init__(
        self,
        config: StackConfig,
        report: Callable[[Happened], None],
        lifeline: socket.socket | None = None,
        turn: Callable[[float], float] = lambda now_s: math.inf,
    ) -> None:
        self._config = config
        self._report, self._turn = report, turn
        self._lifeline = None if lifeline is None else Lifeline(lifeline)
        self._loop = Loop()
        self._workers = Workers(
            config, self._loop, self._happened, self._moved, self._workers_ready
        )
        self._operator = Operator(config, self._workers, report)
        self._care = Care(config, self._loop, self._workers, self._operator, self._happened)
        self._scaling = Scaling(config, self._workers, self._operator, self._queued, report)
        self._edge: Edge | None = None
        self._port: Listening | None = None
        self._served = False
        self._served_s = time.monotonic()
        self._had_terminal = has_terminal()
        self._stop_s: float | None = None
        self._stays = False
        """Whether it stays when nothing runs any more: it was drained, and not told to end."""
        self._over: StackEvent | None = None
        """Once nothing runs any more: how that went."""
        self._leaving: list[Client] = []
        """Who waits until all has drained or ended."""
        self._error: HoldfastError | None = None
        self._cut = 0

    def run(self) -> int:
        """Start, serve until SIGINT or SIGTERM (a second one kills), and stop.

        Returns 0, or 1 when the stop cut requests off. Raises HoldfastError when it cannot start.
        """
        check(self._config)
        raise_nofile(self._config.nofile)
        config = self._config
        with contextlib.ExitStack() as undo:
            undo.callback(self._loop.close)
            undo.enter_context(self._loop.signals(self._signals()))
            self._listen(undo)
            private = self._run_dir.path if self._run_dir.is_private else ""
            self._brood = undo.enter_context(Brood(remove=private))
            self._workers.start(self._run_dir, self._brood, self._listening)
            control = ControlSocket(self._run_dir.control, self._loop, self._carry_out)
            undo.callback(control.close)
            if not config.slots:
                self._workers_ready()  # the edge stands before other hosts, and waits for nobody
            if self._port is not None:
                port, gauge = self._port.port, self._run_dir.gauge
                room = 0 if self._edge is None else config.slots * self._listening.backlog
                control_at = self._run_dir.control
                undo.enter_context(registered(config.address, port, gauge, room, control_at))
            if self._lifeline is not None:
                self._loop.watch(self._lifeline.fileno(), self._lifeline_moved)
            self._go_on()
        error = self._error or self._workers.error
        if error is not None:
            raise error
        return 1 if self._cut + self._workers.cut else 0

    def _listen(self, undo: contextlib.ExitStack) -> None:
        """Take the port first, so that a refusal leaves nothing behind; then the run folder."""
        config = self._config
        tcp: Listening | None = None
        if config.edge is not None:
            self._edge = Edge(config, self._loop, self._happened, self._all_ready)
            undo.callback(self._edge.close)
            self._port = self._edge.listening
        elif config.listen == "tcp":
            tcp = Listening(config.address, config.port, config.slots, config.backlog)
            undo.callback(tcp.close)
            self._port = tcp
        self._run_dir = RunDir(config.run_dir)
        undo.callback(self._run_dir.close)
        self._log_room = LogRoom(self._run_dir.path, self._report)
        group = -1 if self._edge is None else self._edge.group
        self._listening = tcp or SlotSockets(self._run_dir.path, config.backlog, group)
        undo.callback(self._listening.close)

    def _go_on(self) -> None:
        due_s = math.inf
        while True:
            now_s = time.monotonic()
            self._excuse(now_s - due_s, now_s)
            edge_due_s = None if self._edge is None else self._step(self._edge, now_s)
            cared_s = self._look_after(now_s)
            due_s = min(cared_s, self._workers.step(now_s))
            if self._workers.error is not None and self._stop_s is None:
                self._stop_all(hurry=True)
            self._operator.step()
            self._log_room.step(now_s)
            if self._workers.is_gone and (self._edge is None or self._edge.is_gone):
                self._all_gone()
                if not self._stays:
                    return
            due_s = min(due_s, self._turn(now_s))
            due_s = max(now_s, due_s if edge_due_s is None else min(due_s, edge_due_s))
            self._loop.wait(max(0.0, due_s - time.monotonic()))

    def _excuse(self, late_s: float, now_s: float) -> None:
        """Where this turn comes that late we stood still ourselves, and blame nobody for it."""
        if late_s < STILL_S:
            return
        self._workers.excuse(late_s, now_s)
        if self._edge is not None:
            self._edge.excuse(late_s, now_s)
        if late_s >= TOLD_S:
            self._report(StackEvent("stood_still", now_s, self._workers.wanted, late_s))

    def _look_after(self, now_s: float) -> float:
        """Replace and scale, as long as it serves; when that wants to be done again."""
        if not self._served or self._stop_s is not None:
            return math.inf
        return min(self._care.step(now_s), self._scaling.step(now_s))

    def _queued(self) -> int:
        """How many connections wait on the port to be accepted."""
        return 0 if self._port is None else sum(self._port.queued())

    def _step(self, edge: Edge, now_s: float) -> float | None:
        """Let the edge act; once it is gone in a stop, the workers stop too."""
        due_s = edge.step(now_s)
        if edge.error is not None and not edge.has_served and self._stop_s is None:
            self._error = edge.error
            self._stop_all(hurry=True)
        if self._stop_s is not None and edge.is_gone and not self._workers.is_stopping:
            if edge.was_killed:
                self._cut += self._workers.gauge.in_flight()
            left_s = max(0.0, self._config.grace_s - (now_s - self._stop_s))
            self._workers.stop(grace_s=left_s)
        return due_s

    def _moved(self, slot: int, how: Moved) -> None:
        if self._edge is not None:
            self._edge.moved(slot, how)

    def _happened(self, event: Event | EdgeEvent | Effective) -> None:
        """Report it, and tell it those who wait for something."""
        self._report(event)
        if not isinstance(event, Effective):
            self._operator.happened(event)
            for client in self._leaving:
                client.tell(event)

    def _workers_ready(self) -> None:
        if self._edge is None:
            self._all_ready()
        else:
            self._edge.start(self._run_dir, self._brood)

    def _all_ready(self) -> None:
        """Every worker and every process of the edge answers; told once, after a first look."""
        if self._served:
            return
        self._served, self._served_s = True, time.monotonic()
        self._look(is_asked=False)
        address, port = ("", 0) if self._port is None else (self._port.address, self._port.port)
        run_dir, backlog = self._run_dir, self._listening.backlog
        scheme, redirect = ("http", 0) if self._edge is None else self._edge.spoken
        where = (run_dir.gauge, run_dir.path, backlog, scheme, redirect, run_dir.control)
        self._report(Serving(address, port, *where))

    def _stop_all(self, *, hurry: bool) -> None:
        """From now on no slot is wanted; new connections are refused as the workers let go.

        An edge goes first: it finishes what it holds, and the workers have nobody to serve then.
        """
        if self._stop_s is None:
            self._stop_s = time.monotonic()
            self._operator.give_up(BadInput("the stack is stopping", hint="start it again"))
            kind: StackKind = "draining" if self._stays else "stopping"
            self._report(StackEvent(kind, self._stop_s, self._workers.wanted))
        if self._edge is not None:
            self._edge.stop(hurry=hurry)
            if not hurry and not self._edge.is_gone:
                return
        self._workers.stop(hurry=hurry)

    def _told_to_stop(self) -> None:
        self._stop_all(hurry=self._stop_s is not None and not self._stays)
        self._stays = False

    def _lifeline_moved(self) -> None:
        assert self._lifeline is not None
        orders = self._lifeline.orders()
        if orders is None:
            self._loop.unwatch(self._lifeline.fileno())
            self._stays = False
            self._stop_all(hurry=True)
        for order in orders or ():
            self._carry_out(None, order)

    def _hung_up(self) -> None:
        """HUP: reload; but where it comes because our terminal is gone, end."""
        if self._had_terminal and not has_terminal():
            self._told_to_stop()
        else:
            self._carry_out(None, Reload())

    def _signals(self) -> dict[signal.Signals, Callable[[], None]]:
        def ordered(order: Order) -> Callable[[], None]:
            return lambda: self._carry_out(None, order)

        return {
            signal.SIGINT: self._told_to_stop,
            signal.SIGTERM: self._told_to_stop,
            signal.SIGUSR1: ordered(Look()),
            signal.SIGHUP: self._hung_up,
            signal.SIGTTIN: ordered(Scale(by=1)),
            signal.SIGTTOU: ordered(Scale(by=-1)),
        }

    def _carry_out(self, client: Client | None, order: Order) -> None:
        """Obey an order; one that cannot be obeyed is told to who gave it, or reported."""
        try:
            self._obey(client, order)
        except HoldfastError as error:
            if client is not None:
                client.refuse(error)
            else:
                event = StackEvent("refused", time.monotonic(), self._workers.wanted)
                self._report(msgspec.structs.replace(event, text=str(error)))

    def _obey(self, client: Client | None, order: Order) -> None:
        if isinstance(order, Down):
            self._stays = False
            self._stop_all(hurry=order.hurry)
        elif isinstance(order, Status):
            if client is not None:
                client.end(self._seen())
            return
        elif self._stop_s is not None:
            hint = "it takes no more orders but `down`; start it again once it has ended"
            raise BadInput("the stack is stopping", hint=hint)
        elif not self._served:
            raise BadInput("the stack still starts", hint="try again once it serves")
        match order:
            case Drain():
                self._stays = True
                self._stop_all(hurry=False)
            case Reload():
                self._operator.reload(client)
            case Scale(slots=slots, by=by):
                self._operator.scale(self._workers.wanted + by if by else slots, client)
            case Replace(slot=slot):
                self._workers.replace("asked", slot)
            case Look():
                self._look(is_asked=True)
        if client is None:
            return
        if isinstance(order, Drain | Down):
            self._leaving.append(client)
        elif isinstance(order, Replace | Look):
            client.end(Done(""))

    def _all_gone(self) -> None:
        """Nothing runs any more: tell who waited for it."""
        now_s, cut = time.monotonic(), self._cut + self._workers.cut
        if self._over is None:
            took_s = now_s - (self._stop_s or now_s)
            self._over = StackEvent("drained", now_s, 0, took_s, cut)
            self._report(self._over)
        for client in self._leaving:
            client.tell(self._over)
            client.end(Done("", exit_code=int(cut > 0)))
        self._leaving.clear()

    def _seen(self) -> Running:
        """What runs, for whoever asks."""
        doing = "starting" if not self._served else self._operator.doing or "serving"
        since_s = self._served_s
        if self._stop_s is not None:
            doing, since_s = "drained" if self._over else "draining", self._stop_s
        edge = self._edge
        return running(
            self._config,
            self._workers,
            port=self._port,
            scheme="http" if edge is None else edge.spoken[0],
            edge_pids=() if edge is None else tuple(process.pid for process in edge.processes()),
            run_dir=self._run_dir,
            doing=doing,
            for_s=time.monotonic() - since_s,
        )

    def _look(self, *, is_asked: bool) -> None:
        edge, configured = self._edge, self._config.edge
        values = read_workers(self._config, self._workers.pids(), self._listening.rooms())
        if edge is not None and configured is not None:
            values += read_edge(edge, configured.hop)
        self._report(Effective((*values, read_somaxconn()), is_asked))
