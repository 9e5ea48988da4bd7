"""The edge of a stack: its sockets, its files, and its processes by the same policy as workers.

Event driven by its supervisor: `step` acts on what `policy` decides. Knows no formula of a limit.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable
from typing import Final

import msgspec

from holdfast.model.errors import BadInput, HoldfastError
from holdfast.policy.decide import Action, GiveUp, Kill, Seen, Start, Stop, Wanted, decide, next_s
from holdfast.policy.slots import Happening, Slot, State, after, excused, killed
from holdfast.stack.config import EdgeEvent, EdgeKind, StackConfig
from holdfast.stack.edge_hosts import Hosts
from holdfast.stack.edge_process import PROGRAMS, EdgeProcess, Program, found, unprivileged
from holdfast.stack.edge_slots import EdgeSlots, Moved
from holdfast.stack.failures import cannot_start
from holdfast.stack.folders import brotli_module
from holdfast.stack.listen import Listening
from holdfast.stack.loop import Loop
from holdfast.stack.offspring import Offspring
from holdfast.stack.renewal import Renewal
from holdfast.stack.run_dir import LOGS_EVERY_S, RunDir
from holdfast.stack.slot_sockets import slot_path
from holdfast.stack.warden import Brood
from holdfast.writers import haproxy, nginx
from holdfast.writers.site import Site

ASK_AGAIN_S: Final = 0.02
"""How soon an edge that starts is asked again, and a queue that empties looked at again."""
EMPTY_S: Final = 1.0
"""How long connections that the kernel has taken may wait to be accepted once we stop."""
START_S: Final = 10.0
RENDER: Final = {"nginx": nginx.render, "haproxy": haproxy.render}
LONGEST_DELAY_S: Final = 1.0
"""An edge is the only way in, and starts in an instant: it never waits longer to be started again,
so that the service is back within 2 s however often it is killed."""


class Edge:
    """Runs the processes of the edge that `config` describes, on sockets that we hold.

    `loop` is the supervisor's; `report` is called with every EdgeEvent, and `ready`
    each time that all of the processes answer. Raises BadInput where the program is not installed
    or the port is taken.
    """

    def __init__(
        self,
        config: StackConfig,
        loop: Loop,
        report: Callable[[EdgeEvent], None],
        ready: Callable[[], None],
    ) -> None:
        assert config.edge is not None
        self._edge = config.edge
        self._config = config
        self._program: Program = PROGRAMS[self._edge.hop.program]
        found(self._program)
        self._loop, self._report, self._ready = loop, report, ready
        hop = self._edge.hop
        backlog = hop.get("backlog")
        asked = config.backlog if backlog is None else int(backlog.number)
        tls = self._edge.front.tls
        self._renewal = None if tls is None else Renewal(tls, hop.program, self._renewed)
        self.listening = Listening(config.address, config.port, hop.processes, asked)
        self._ports = [self.listening]
        if tls is not None and tls.redirect is not None:
            with contextlib.ExitStack() as undo:
                undo.callback(self.listening.close)
                self._ports.append(Listening(config.address, tls.redirect, hop.processes, asked))
                undo.pop_all()
        count = 1 if hop.program == "nginx" else hop.processes
        self._slots = [Slot(index) for index in range(count)]
        self._wanted = Wanted(slots=0, grace_s=config.grace_s, start_s=START_S, at_once=count)
        self._processes: dict[int, EdgeProcess] = {}
        self._offspring: dict[int, Offspring] = {}
        asks = bool(self._edge.front.hosts) and self._program.name == "haproxy"
        self._hosts = Hosts(loop, self._host_changed) if asks else None
        self._servers = EdgeSlots(config.slots)
        self._started = self._served = False
        self._empty_by_s = self._logs_due_s = 0.0
        self.was_killed = False
        """Whether it had to be killed because the grace time was over."""
        self.error: HoldfastError | None = None

    def start(self, run_dir: RunDir, brood: Brood) -> None:
        """Write its files and have its processes started; the slots lie in the run folder."""
        self._run_dir, self._brood = run_dir, brood
        hop, config = self._edge.hop, self._config
        slots = tuple(map(slot_path, range(config.most_slots)))
        listen, *others = (_listen(hop.program, port) for port in self._ports)
        front = self._edge.front
        brotli = brotli_module() if front.compression and front.compression.brotli else ""
        site = Site(
            listen,
            slots[: config.slots],
            further=slots[config.slots :],
            balance=self._edge.balance,
            front=front,
            health=self._edge.health,
            redirect=others[0] if others else (),
            port=self.listening.port,
            brotli=brotli,
        )
        _write(run_dir, RENDER[hop.program](hop, site))
        if self._renewal is not None:
            self._renewal.write(run_dir.edge(), unprivileged())
        self._started = True
        self._wanted = msgspec.structs.replace(self._wanted, slots=len(self._slots))

    def step(self, now_s: float) -> float | None:
        """Do what is to do now; when it wants to be called again, if nothing happens before."""
        if not self._started:
            return None
        if now_s < self._empty_by_s and any(self.listening.queued()):
            return now_s + ASK_AGAIN_S
        while actions := decide(self._wanted, self._seen(), now_s):
            for action in actions:
                self._act(action)
        if now_s >= self._logs_due_s:
            self._logs_due_s = now_s + LOGS_EVERY_S
            for process in self._processes.values():
                process.bound_log()
        for index, process in self._processes.items():
            if self._slots[index].state is State.STARTING and process.probe is None:
                self._ask(process)
                if process.probe is None:
                    return now_s + ASK_AGAIN_S
        if not all(offspring.look() for offspring in self._offspring.values()):
            return now_s + ASK_AGAIN_S
        due_s = next_s(self._wanted, self._seen(), now_s)
        due_s = self._logs_due_s if due_s is None else min(due_s, self._logs_due_s)
        if self._renewal is not None and self._served:
            due_s = min(due_s, self._renewal.step(now_s, self.processes()))
        return due_s if self._hosts is None else min(due_s, self._hosts.step(self._any(), now_s))

    def excuse(self, for_s: float, now_s: float) -> None:
        """The supervisor stood still for so long: no process's time counts against it."""
        self._slots = [excused(slot, for_s, now_s) for slot in self._slots]

    def stop(self, *, hurry: bool) -> None:
        """Take no new connection, finish what is held, and end; kill instead in a `hurry`."""
        if not self._started:
            for port in self._ports:
                port.let_go()
            self._slots = [after(s, Happening.STOP, time.monotonic()) for s in self._slots]
        elif self._wanted.slots:
            for port in self._ports:
                port.refuse()
            self._empty_by_s = 0.0 if hurry else time.monotonic() + EMPTY_S
        else:
            self._empty_by_s = 0.0
        self._wanted = msgspec.structs.replace(self._wanted, slots=0, hurry=hurry)

    def moved(self, slot: int, how: Moved) -> None:
        """A slot's path leads elsewhere, or nowhere: idle connections to where it led are to end.

        nginx ends them by its own timeout.
        """
        if self._program.name == "haproxy":
            self._servers.moved(slot, how, self._processes.values())

    def processes(self) -> tuple[EdgeProcess, ...]:
        """Those that run."""
        return tuple(self._processes.values())

    @property
    def group(self) -> int:
        """The group that it runs as, which must reach the workers' sockets; -1: ours."""
        owner = unprivileged()
        return -1 if owner is None else owner[1]

    @property
    def spoken(self) -> tuple[str, int]:
        """What clients speak on the port, and the port that redirects to it; 0: none does."""
        scheme = "http" if self._renewal is None else "https"
        return scheme, self._ports[1].port if len(self._ports) > 1 else 0

    @property
    def is_gone(self) -> bool:
        """Whether none of its processes runs or will."""
        return all(slot.state is State.GONE for slot in self._slots)

    @property
    def has_served(self) -> bool:
        """Whether all of its processes have answered once."""
        return self._served

    @property
    def is_ready(self) -> bool:
        """Whether all of its processes answer."""
        return all(slot.state is State.READY for slot in self._slots)

    def close(self) -> None:
        """Close the listening sockets."""
        for port in self._ports:
            port.close()
        if self._hosts is not None:
            self._hosts.close()

    def _any(self) -> EdgeProcess | None:
        """One that answers."""
        ready = (p for i, p in self._processes.items() if self._slots[i].state is State.READY)
        return next(ready, None)

    def _host_changed(self, address: str, up: bool) -> None:
        process = self._any()
        if process is not None:
            self._tell("edge_host_up" if up else "edge_host_down", process, text=address)

    def _seen(self) -> Seen:
        return Seen(tuple(self._slots), self._served)

    def _act(self, action: Action) -> None:
        match action:
            case Start(slot=index):
                self._start_process(index)
            case Stop(slot=index):
                self._happened(index, Happening.STOP)
                self.close()
                self._follow_no_longer(index)
                if index in self._processes:
                    self._processes[index].leave()
                    self._tell("edge_draining", self._processes[index])
            case Kill(slot=index):
                self.was_killed |= self._slots[index].state is State.DRAINING
                self._slots[index] = killed(self._slots[index])
                self._processes[index].signal(signal.SIGKILL)
            case GiveUp(reason=reason):
                self.error = self.error or HoldfastError(reason)
                self.stop(hurry=True)

    def _start_process(self, index: int) -> None:
        self._happened(index, Happening.START)
        sockets = [listener for port in self._ports for listener in port.sockets.values()]
        if self._program.name == "haproxy":
            sockets = [port.sockets[index] for port in self._ports]
        try:
            process = EdgeProcess(self._program, index, self._run_dir, self._brood, sockets)
        except OSError as error:
            self.error = cannot_start(self._program.name, error)
            self._happened(index, Happening.DIE)
            return
        self._processes[index] = process
        self._loop.watch(process.pidfd, lambda: self._died(process))
        self._tell("edge_started", process, text=process.unlogged)

    def _ask(self, process: EdgeProcess) -> None:
        if process.ask() and process.probe is not None:
            self._loop.watch(process.probe.fileno(), lambda: self._answered(process))

    def _answered(self, process: EdgeProcess) -> None:
        answered = process.has_answered()
        if answered is None or process.probe is None:
            return
        self._loop.unwatch(process.probe.fileno())
        process.forget_probe()
        whole = self._program.name != "nginx" or len(process.pids()) >= self._edge.hop.processes
        if answered and whole and self._slots[process.index].state is State.STARTING:
            self._happened(process.index, Happening.ANSWER)
            self._tell("edge_ready", process)
            if self._program.name == "haproxy":
                self._servers.started(process)
            if self._program.name == "nginx":
                self._follow(process)
            if self.is_ready:
                self._served = True
                self._ready()

    def _follow(self, process: EdgeProcess) -> None:
        def tell(kind: EdgeKind) -> Callable[[int], None]:
            return lambda pid: self._tell(kind, process, pid=pid)

        self._offspring[process.index] = Offspring(
            process,
            self._edge.hop.processes,
            self._loop,
            came=tell("edge_worker_started"),
            died=tell("edge_worker_died"),
        )
        self._offspring[process.index].look()

    def _follow_no_longer(self, index: int) -> None:
        if index in self._offspring:
            self._offspring.pop(index).close()

    def _died(self, process: EdgeProcess) -> None:
        self._follow_no_longer(process.index)
        status, was = process.reap(), self._slots[process.index]
        output = process.last_output()
        self._happened(process.index, Happening.DIE)
        if was.state is State.DRAINING:
            self._tell("edge_stopped", process, status=status)
        else:
            self._tell("edge_died", process, status=status, text=output)
            if was.state is State.STARTING:
                fault = f"{self._program.name} ended with status {status} before it answered"
                hint = f"its last output:\n{output}" if output else "it printed nothing"
                self.error = BadInput(fault, place=self._run_dir.edge(), hint=hint)
        self._loop.unwatch(process.pidfd)
        if process.probe is not None:
            self._loop.unwatch(process.probe.fileno())
        process.close()
        del self._processes[process.index]

    def _happened(self, index: int, happening: Happening) -> None:
        now_s = time.monotonic()
        self._slots[index] = after(self._slots[index], happening, now_s, LONGEST_DELAY_S)

    def _renewed(self, refused: str | None) -> None:
        """Report that another certificate serves, or why none does."""
        kind: EdgeKind = "edge_certificate_refused" if refused else "edge_certificate_changed"
        self._report(EdgeEvent(kind, time.monotonic(), 0, 0, text=refused or ""))

    def _tell(
        self,
        kind: EdgeKind,
        process: EdgeProcess,
        *,
        pid: int = 0,
        status: int | None = None,
        text: str = "",
    ) -> None:
        at_s = time.monotonic()
        self._report(EdgeEvent(kind, at_s, process.index, pid or process.pid, status, text))


def _listen(program: str, port: Listening) -> tuple[str, ...]:
    """The sockets of a port as the program writes them."""
    if program == "haproxy":
        return tuple(f"fd@{listener.fileno()}" for listener in port.sockets.values())
    host = f"[{port.address}]" if ":" in port.address else port.address
    return (f"{host}:{port.port}",)


def _write(run_dir: RunDir, files: dict[str, str]) -> None:
    """Put the files into the edge's folder, which belongs to whom it runs as."""
    owner = unprivileged()
    os.makedirs(run_dir.edge(), mode=0o700, exist_ok=True)
    for name, text in files.items():
        with open(os.path.join(run_dir.edge(), name), "w", encoding="utf-8") as file:
            file.write(text)
    if owner is not None:
        os.chown(run_dir.edge(), *owner)
        os.chown(run_dir.path, -1, owner[1])
        os.chmod(run_dir.path, 0o710)
