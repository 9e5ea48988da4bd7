"""What a run uses of the limits that a plan counts, on the fullest scope of each.

Reads /proc and inet_diag, at a cost linear in processes. Must not know what is planned or enough.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from holdfast.model.errors import HoldfastError
from holdfast.proof.kernel import PortWitness
from holdfast.proof.planned import Key

ACCEPT_QUEUE: Final = "accept queue"
EVENT_LOOP: Final[Key] = ("workers", "event loop")
CLIENT_SOCKETS: Final[Key] = ("clients", "client sockets")
OPEN_FILES: Final[Key] = ("kernel", "open files")
CONNTRACK: Final[Key] = ("kernel", "conntrack")
MEMORY: Final[Key] = ("kernel", "memory")
PROCESSOR: Final[Key] = ("kernel", "processor")

_FILES = {
    OPEN_FILES: "/proc/sys/fs/file-nr",
    CONNTRACK: "/proc/sys/net/netfilter/nf_conntrack_count",
}


def read_counts(
    pids: Mapping[str, Iterable[int]], ports: Mapping[str, Sequence[int]], *, is_last: bool
) -> dict[Key, float]:
    """What is used now: descriptors of each hop's fullest process, open files of the host.

    `pids` are the processes by hop, `ports` the addresses of each service. At the last look of a
    hold the connections to the fullest address are counted too: each holds a port of its source,
    and counting walks every socket of the machine. What cannot be read is left out.
    """
    found: dict[Key, float] = {}
    for hop, members in pids.items():
        opened = [n for pid in members if (n := open_descriptors(pid, is_last)) is not None]
        if opened:
            found[hop, "descriptors"] = max(opened)
    for key, path in _FILES.items():
        with contextlib.suppress(OSError, ValueError), open(path, encoding="ascii") as file:
            found[key] = int(file.read().split()[0])
    if is_last:
        for name, addresses in ports.items():
            with contextlib.suppress(HoldfastError):
                found[name, "ports"] = max(map(connections, addresses), default=0)
    return found


def open_descriptors(pid: int, may_list: bool) -> int | None:
    """Open descriptors of a process; None where it is gone or another user's, or nobody says.

    Linux 6.2 and newer tell it as the size of /proc/PID/fd. Before, the folder must be listed
    (`may_list`), which leaves kernel memory behind for every descriptor.
    """
    path = f"/proc/{pid}/fd"
    try:
        return os.stat(path).st_size or (len(os.listdir(path)) if may_list else None)
    except OSError:
        return None


def connections(port: int) -> int:
    """Established connections of a local port, idle and occupied."""
    witness = PortWitness(port)
    try:
        seen = witness.established()
    finally:
        witness.close()
    return seen.occupied + seen.idle


def busiest(before: Mapping[int, float], after: Mapping[int, float], passed_s: float) -> float:
    """The part of a core that the busiest process used between two looks.

    Processor seconds by pid; one that was not there before used all that it has.
    """
    used = [seconds - before.get(pid, 0.0) for pid, seconds in after.items()]
    return max(used, default=0.0) / passed_s if passed_s > 0 else 0.0


def largest(counts: Iterable[Mapping[Key, float]]) -> dict[Key, float]:
    """The largest of each count over several looks."""
    found: dict[Key, float] = {}
    for seen in counts:
        for key, count in seen.items():
            found[key] = max(count, found.get(key, count))
    return found
