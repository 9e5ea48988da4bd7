"""What an edge really runs with, beside what its files ask for: a difference is data (law 5).

Reads /proc, the listening sockets and HAProxy's runtime API; judges nothing and changes nothing.
"""

from __future__ import annotations

from typing import Final

import msgspec

from holdfast.model.path import Hop
from holdfast.model.values import Value, observed
from holdfast.stack.edge import Edge
from holdfast.stack.edge_process import EdgeProcess

_SOMAXCONN: Final = "/proc/sys/net/core/somaxconn"
_FLOOR: Final = "ulimit_n"
_INFO: Final = {
    "Maxconn": "maxconn",
    "Nbthread": "nbthread",
    "Ulimit-n": "ulimit_n",
    "Maxsock": "maxsock",
}
"""HAProxy's `show info`: its names of what our rows call otherwise."""


def read_effective(edge: Edge, hop: Hop) -> tuple[Value, ...]:
    """Each value as it is; `configured` is set where it is not what `hop` asks for.

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
    with open(_SOMAXCONN, encoding="ascii") as file:
        found.append(observed("somaxconn", int(file.read()), _SOMAXCONN))
    return tuple(compared(value, hop) for value in found)


def compared(value: Value, hop: Hop) -> Value:
    """The value with what the hop configures, where that differs.

    HAProxy leaves a limit of descriptors that is above `ulimit-n` as it is, which is as good.
    """
    wanted = hop.get(value.setting)
    if wanted is None or value.value is None or wanted.value == value.value:
        return value
    if value.setting == _FLOOR and value.number >= wanted.number:
        return value
    return msgspec.structs.replace(value, configured=wanted)


def _limits(process: EdgeProcess, hop: Hop) -> list[Value]:
    """The descriptors that the kernel grants each process that does the work."""
    setting = "worker_rlimit_nofile" if hop.program == "nginx" else _FLOOR
    found = []
    for pid in process.pids():
        path = f"/proc/{pid}/limits"
        try:
            with open(path, encoding="ascii") as file:
                line = next(line for line in file if line.startswith("Max open files"))
        except OSError:
            continue
        soft = line.split()[3]
        found.append(observed(setting, int(soft) if soft.isdigit() else None, path))
    return found


def _info(process: EdgeProcess) -> list[Value]:
    """What one HAProxy says of itself; `maxsock` is what it needs, whether or not it fits."""
    try:
        lines = process.say("show info").splitlines()
    except OSError:
        return []
    said = dict(line.split(": ", 1) for line in lines if ": " in line)
    why = f"show info of process {process.index}"
    return [observed(ours, int(said[name]), why) for name, ours in _INFO.items() if name in said]
