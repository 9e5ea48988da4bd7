"""What a stack really runs with, beside what was asked for: a difference is data (law 5).

Reads /proc, the listening sockets and HAProxy's runtime API; judges nothing and changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from holdfast.model.path import Hop
from holdfast.model.values import Value, compared, derived, observed
from holdfast.stack.config import StackConfig
from holdfast.stack.edge import Edge
from holdfast.stack.edge_process import EdgeProcess

_SOMAXCONN: Final = "/proc/sys/net/core/somaxconn"
_FLOOR: Final = "ulimit_n"
_WORKER_FILES: Final = "worker_rlimit_nofile"
_NOFILE: Final = "nofile"
_INFO: Final = {
    "Maxconn": "maxconn",
    "Nbthread": "nbthread",
    "Ulimit-n": "ulimit_n",
    "Maxsock": "maxsock",
}
"""HAProxy's `show info`: its names of what our rows call otherwise."""


def read_somaxconn() -> Value:
    """The kernel's cap of every backlog, in our network namespace."""
    with open(_SOMAXCONN, encoding="ascii") as file:
        return observed("somaxconn", int(file.read()), _SOMAXCONN)


def read_workers(
    config: StackConfig, pids: Sequence[int], rooms: Sequence[int | None]
) -> tuple[Value, ...]:
    """Descriptors of each worker, and the backlog of each socket that they accept from.

    `configured` is set where it is not what `config` asks for; more descriptors are as good.
    A process that is gone meanwhile has no value.
    """
    where = "slot" if config.listen == "slots" else "listening"
    backlogs = [
        observed("backlog", room, f"{where} socket {index} of the workers")
        for index, room in enumerate(rooms)
    ]
    wanted = {
        _NOFILE: derived(_NOFILE, config.nofile, "descriptors that a worker needs"),
        "backlog": derived("backlog", config.backlog, "asked of each socket of the workers"),
    }
    values = (*(value for pid in pids for value in _nofile(pid, _NOFILE)), *backlogs)
    return tuple(compared(value, wanted[value.setting]) for value in values)


def read_edge(edge: Edge, hop: Hop) -> tuple[Value, ...]:
    """Each value of the edge as it is; `configured` is set where it is not what `hop` asks for.

    A process that is gone meanwhile has no values.
    """
    processes = edge.processes()
    found = [value for process in processes for value in _limits(process, hop)]
    if hop.program == "nginx":
        workers = sum(len(process.pids()) for process in processes)
        found.append(observed("worker_processes", workers, "/proc/PID/task/PID/children"))
    else:
        found += [value for process in processes for value in _info(process)]
    rooms = edge.listening.rooms()
    found += [
        observed("backlog", room, f"TCP_INFO of listening socket {index}")
        for index, room in enumerate(rooms)
    ]
    return tuple(compared(value, hop.get(value.setting)) for value in found)


def _limits(process: EdgeProcess, hop: Hop) -> list[Value]:
    """The descriptors that the kernel grants each process that does the work."""
    setting = _WORKER_FILES if hop.program == "nginx" else _FLOOR
    return [value for pid in process.pids() for value in _nofile(pid, setting)]


def _nofile(pid: int, setting: str) -> list[Value]:
    path = f"/proc/{pid}/limits"
    try:
        with open(path, encoding="ascii") as file:
            line = next(line for line in file if line.startswith("Max open files"))
    except (OSError, StopIteration):
        return []
    soft = line.split()[3]
    return [observed(setting, int(soft) if soft.isdigit() else None, path)]


def _info(process: EdgeProcess) -> list[Value]:
    """What one HAProxy says of itself; `maxsock` is what it needs, whether or not it fits."""
    try:
        lines = process.say("show info").splitlines()
    except OSError:
        return []
    said = dict(line.split(": ", 1) for line in lines if ": " in line)
    why = f"show info of process {process.index}"
    return [observed(ours, int(said[name]), why) for name, ours in _INFO.items() if name in said]
