"""One stack: its port, its folder, its workers and its edge, from the first start to the stop.

Event driven: sleeps until a worker, a signal or a deadline needs it. Knows no formula of a limit.
"""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable

from holdfast.model.errors import HoldfastError
from holdfast.stack.checked import check
from holdfast.stack.config import (
    EdgeEvent,
    Effective,
    Event,
    Look,
    Replace,
    Serving,
    StackConfig,
)
from holdfast.stack.edge import Edge
from holdfast.stack.effective import read_edge, read_somaxconn, read_workers
from holdfast.stack.limits import raise_nofile
from holdfast.stack.listen import Listening
from holdfast.stack.loop import Lifeline, Loop
from holdfast.stack.register import registered
from holdfast.stack.run_dir import RunDir
from holdfast.stack.slot_sockets import SlotSockets
from holdfast.stack.warden import Brood
from holdfast.stack.workers import Workers


class Supervisor:
    """Runs one stack in this process's main thread.

    `report` is called with every Event, and once with Serving; `report_edge` with what the edge
    does, and with what the stack runs with: once everything answers, and when it is asked. When
    `lifeline` reaches its end (whoever holds the other one is gone), all is killed.
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
        self._loop = Loop()
        self._workers = Workers(config, self._loop, report, self._moved, self._workers_ready)
        self._edge: Edge | None = None
        self._port: Listening | None = None
        self._served = False
        self._stop_s: float | None = None
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
            undo.enter_context(self._loop.signals(self._told_to_stop, self._asked))
            self._listen(undo)
            private = self._run_dir.path if self._run_dir.is_private else ""
            self._brood = undo.enter_context(Brood(remove=private))
            self._workers.start(self._run_dir, self._brood, self._listening)
            if not config.slots:
                self._workers_ready()  # the edge stands before other hosts, and waits for nobody
            if self._port is not None:
                port, gauge = self._port.port, self._run_dir.gauge
                room = 0 if self._edge is None else config.slots * self._listening.backlog
                undo.enter_context(registered(config.address, port, gauge, room))
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
            due_s = self._workers.step(now_s)
            if self._workers.error is not None and self._stop_s is None:
                self._stop_all(hurry=True)
            if self._workers.is_gone and (self._edge is None or self._edge.is_gone):
                return
            due_s = due_s if edge_due_s is None else min(due_s, edge_due_s)
            self._loop.wait(max(0.0, due_s - time.monotonic()))

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

    def _moved(self, slot: int) -> None:
        if self._edge is not None:
            self._edge.moved(slot)

    def _workers_ready(self) -> None:
        if self._edge is None:
            self._all_ready()
        else:
            self._edge.start(self._run_dir, self._brood)

    def _all_ready(self) -> None:
        """Every worker and every process of the edge answers; told once, after a first look."""
        if self._served:
            return
        self._served = True
        self._look(is_asked=False)
        address, port = ("", 0) if self._port is None else (self._port.address, self._port.port)
        run_dir, backlog = self._run_dir, self._listening.backlog
        scheme, redirect = ("http", 0) if self._edge is None else self._edge.spoken
        where = (run_dir.gauge, run_dir.path, backlog)
        self._report(Serving(address, port, *where, scheme=scheme, redirect=redirect))

    def _stop_all(self, *, hurry: bool) -> None:
        """From now on no slot is wanted; new connections are refused as the workers let go.

        An edge goes first: it finishes what it holds, and the workers have nobody to serve then.
        """
        self._stop_s = self._stop_s or time.monotonic()
        if self._edge is not None:
            self._edge.stop(hurry=hurry)
            if not hurry and not self._edge.is_gone:
                return
        self._workers.stop(hurry=hurry)

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
                case Replace(slot=slot) if self._stop_s is None:
                    self._workers.replace(slot)
                case Look():
                    self._asked()

    def _asked(self) -> None:
        if self._served:
            self._look(is_asked=True)

    def _look(self, *, is_asked: bool) -> None:
        edge, configured = self._edge, self._config.edge
        values = read_workers(self._config, self._workers.pids(), self._listening.rooms())
        if edge is not None and configured is not None:
            values += read_edge(edge, configured.hop)
        self._report_edge(Effective((*values, read_somaxconn()), is_asked))
