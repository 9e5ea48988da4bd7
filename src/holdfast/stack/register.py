"""Where a running stack can be found by its address and port: one small file for each, per user.

Decides where the file lies and when it is stale; knows nothing of what the stack does.
"""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from collections.abc import Iterator

import msgspec

from holdfast.wire import Gauge


class Entry(msgspec.Struct, frozen=True):
    """One running stack; `born`: its supervisor's start in clock ticks, against pid reuse.

    `slots_room` is the room of the workers' accept queues behind an edge, 0 where there is none.
    `control` is the path of the socket that takes orders.
    """

    address: str
    port: int
    supervisor_pid: int
    born: int
    gauge: str
    slots_room: int = 0
    control: str = ""


class FoundStack:
    """A running stack of this user, as another process sees it."""

    def __init__(self, entry: Entry) -> None:
        self.supervisor_pid = entry.supervisor_pid
        self.slots_room = entry.slots_room
        self.gauge = Gauge(entry.gauge)

    def worker_pids(self) -> tuple[int, ...]:
        """The workers that the gauge has a row for now."""
        return tuple(row.pid for row in self.gauge.read())


@contextlib.contextmanager
def registered(
    address: str, port: int, gauge: str, slots_room: int = 0, control: str = ""
) -> Iterator[None]:
    """This process's stack can be found while the context lasts; quietly not, where none can be."""
    entry = Entry(address, port, os.getpid(), _born(os.getpid()), gauge, slots_room, control)
    path = _path(address, port)
    try:
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        with open(f"{path}.{os.getpid()}", "wb") as file:
            file.write(msgspec.json.encode(entry))
        os.replace(f"{path}.{os.getpid()}", path)
    except OSError:
        yield
        return
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            os.unlink(path)


def find_stack(address: str, port: int) -> FoundStack | None:
    """The stack of this user that serves there; None where there is none, or only its old file."""
    entry = _read(_path(address, port))
    try:
        return None if entry is None else FoundStack(entry)
    except (OSError, ValueError):
        return None


def find_entries() -> tuple[Entry, ...]:
    """Every running stack of this user, by port and address."""
    try:
        names = os.listdir(_folder())
    except OSError:
        return ()
    found = (_read(os.path.join(_folder(), name)) for name in names if name.endswith(".json"))
    return tuple(sorted(filter(None, found), key=lambda entry: (entry.port, entry.address)))


def _read(path: str) -> Entry | None:
    """The entry in a file, where it is ours and its stack runs."""
    try:
        folder = os.stat(os.path.dirname(path))
        if folder.st_uid != os.getuid() or stat.S_IMODE(folder.st_mode) & 0o022:
            return None
        with open(path, "rb") as file:
            entry = msgspec.json.decode(file.read(), type=Entry)
        return entry if _born(entry.supervisor_pid) == entry.born else None
    except (OSError, ValueError):
        return None


def _folder() -> str:
    return os.path.join(tempfile.gettempdir(), f"holdfast-stacks-{os.getuid()}")


def _path(address: str, port: int) -> str:
    return os.path.join(_folder(), f"{address.replace(':', '_')}-{port}.json")


def _born(pid: int) -> int:
    """When the process started, in clock ticks since boot; the 22nd field of its stat."""
    with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
        return int(file.read().rpartition(")")[2].split()[19])
