"""Real trials for the tests: a stack or a silent server, and a proof against it. Tests nothing."""

from __future__ import annotations

import ctypes
import os
import resource
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from holdfast.load.plan import LoadPlan
from holdfast.proof.machine import Machine
from holdfast.proof.moment import Moment
from holdfast.proof.plan import ProofPlan, surplus
from holdfast.proof.result import Result
from holdfast.proof.run import Proof
from holdfast.stack.config import StackConfig
from holdfast.stack.process import StackProcess
from tests.helpers import free_port

ASKED, MEAN_S, HOLD_S = 2000, 1.0, 3.0
CLIENTS = ASKED + surplus(ASKED, ASKED / MEAN_S)
TRIES = 3
"""A void run says that this machine was too busy just then; a test that wants more tries again."""

SILENT = """
import os, resource, socket, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (int(sys.argv[2]),) * 2)
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=1024)
os.write(1, b"ready")
kept = []
while True:
    kept.append(listener.accept()[0])
"""

OnHold = Callable[[], None]


def plan(port: int, **changes: Any) -> ProofPlan:
    """A plan for ASKED in flight at a server of ours."""
    load = {name: changes.pop(name) for name in LoadPlan.__struct_fields__ if name in changes}
    wanted = {"asked": ASKED, "clients": load.get("clients", CLIENTS), "idle": load.get("idle", 0)}
    wanted |= {"hold_s": HOLD_S, "open_rate": 10_000.0, "open_ceiling_s": 20.0, "grace_s": 5.0}
    load = {"clients": CLIENTS, "ids": 1000, "idle_path": "/idle", "processes": 2} | load
    where = LoadPlan(address="127.0.0.1", port=port, host="127.0.0.1", path="/{id}", **load)
    return ProofPlan(load=where, **(wanted | changes))


@contextmanager
def stack(app: str = "wait", slots: int = 2) -> Iterator[StackProcess]:
    """Workers that serve an app of `apps`."""
    config = StackConfig(
        app=f"apps:{app}",
        app_dir=str(Path(__file__).parent),
        slots=slots,
        backlog=4096,
        nofile=CLIENTS + 1000,
        grace_s=1.0,
        env={"WAIT_S": str(MEAN_S)},
    )
    with StackProcess(config) as process:
        process.start()
        process.wait_until_ready(60.0)
        yield process


@contextmanager
def silent_server() -> Iterator[int]:
    """A server that accepts everything and reads nothing; its port."""
    port, hard = free_port(), resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    argv = [sys.executable, "-S", "-c", SILENT, str(port), str(hard)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.read(5) == b"ready"
            yield port
        finally:
            process.kill()


def prove(
    asked: ProofPlan,
    *,
    in_flight: Callable[[], int] | None,
    groups: dict[str, list[int]] | None = None,
    started: Machine | None = None,
    on: Callable[[Proof, Moment], None] = lambda _proof, _moment: None,
) -> Result:
    """Run one proof; `on` is called with each of its moments."""
    proof = Proof(
        asked,
        in_flight=in_flight,
        groups=lambda: groups or {},
        on_moment=lambda moment: on(proof, moment),
        started=started,
    )
    return proof.run()


def prove_stack(
    on: Callable[[StackProcess], OnHold] | None = None, tries: int = TRIES, **changes: Any
) -> Result:
    """Prove a stack, again if that was void; `on(stack)` gives what disturbs its hold."""
    settings = {name: changes.pop(name) for name in ("app", "slots") if name in changes}
    for _ in range(tries):
        started = Machine.read()
        with stack(**settings) as served:
            result = prove(
                plan(served.port, mean_time_s=MEAN_S, nonce="require", **changes),
                in_flight=served.gauge.in_flight,
                groups={"workers": [worker.pid for worker in served.workers()]},
                started=started,
                on=once_in_hold(on(served)) if on else lambda _proof, _moment: None,
            )
        if result.verdict != "void":
            break
    return result


def once_in_hold(act: OnHold) -> Callable[[Proof, Moment], None]:
    """Call `act` at the first moment of the hold, and never again."""
    acts = [act]

    def on(_proof: Proof, moment: Moment) -> None:
        if moment.phase == "hold" and acts:
            acts.pop()()

    return on


def generators() -> list[int]:
    """The generator processes that this process started."""
    with open(f"/proc/self/task/{os.getpid()}/children", encoding="ascii") as file:
        children = [int(word) for word in file.read().split()]
    return [pid for pid in children if b"holdfast.load" in _command(pid)]


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def come_last(pid: int, core: int) -> None:
    """Pin a process to a core and let all others there go first, with or without autogroups."""
    os.sched_setaffinity(pid, {core})
    os.setpriority(os.PRIO_PROCESS, pid, 19)
    group = Path(f"/proc/{pid}/autogroup")
    if group.exists():
        group.write_text("19")


def shut_half(pid: int, how: int) -> int:
    """Shut down every second connected socket of a process, from outside; how many."""
    keeper, shut = os.pidfd_open(pid), 0
    numbers = sorted(int(name) for name in os.listdir(f"/proc/{pid}/fd"))
    try:
        for number in numbers:
            if not os.readlink(f"/proc/{pid}/fd/{number}").startswith("socket:"):
                continue
            if number % 2:
                with socket.socket(fileno=_get_fd(keeper, number)) as borrowed:
                    borrowed.shutdown(how)
                shut += 1
    finally:
        os.close(keeper)
    return shut


def _get_fd(keeper: int, number: int) -> int:
    """pidfd_getfd(2): a duplicate of another process's descriptor."""
    libc = ctypes.CDLL(None, use_errno=True)
    fd = int(libc.syscall(438, keeper, number, 0))
    if fd < 0:
        raise OSError(ctypes.get_errno(), "pidfd_getfd")
    return fd
