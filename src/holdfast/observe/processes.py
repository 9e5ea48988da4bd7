"""The processes of this machine: who they are, who started them, which sockets they hold.

Reads /proc and nothing else. Must not know any program, nor what is looked for.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import re
import time
from collections.abc import Iterator
from functools import cached_property

import msgspec

from holdfast.model.errors import BadInput

_SOCKET = re.compile(r"socket:\[(\d+)\]")
_TICKS = os.sysconf("SC_CLK_TCK")
"""In a second; in them a process's beginning is told."""


class Process(msgspec.Struct, frozen=True):
    """One process as /proc tells it: its words, its parent, and when it began in Unix time.

    What replaced its words by a title (nginx, setproctitle) has one word.
    """

    pid: int
    parent: int
    name: str
    argv: tuple[str, ...]
    began_s: float


class Held(msgspec.Struct, frozen=True):
    """What a process has open: the inodes of its sockets, and how many descriptors beside them."""

    sockets: frozenset[int]
    others: int


class Processes:
    """What runs now, read once; what a process holds is read when it is asked for."""

    def __init__(self) -> None:
        boot_s = time.time() - float(_read("/proc/uptime").split()[0])
        found = (_process(int(name), boot_s) for name in os.listdir("/proc") if name.isdigit())
        self._all = {process.pid: process for process in found if process is not None}
        self._held: dict[int, Held | None] = {}

    def __iter__(self) -> Iterator[Process]:
        """All of them, by their numbers."""
        return iter(sorted(self._all.values(), key=lambda process: process.pid))

    def get(self, pid: int) -> Process | None:
        """The process of that number, if it ran."""
        return self._all.get(pid)

    def ours(self, pid: int) -> Process:
        """The process of that number; raises BadInput where there is none that we may look into.

        One in another network or with other files (a container) would be told wrong.
        """
        process = self._all.get(pid)
        if process is None:
            hint = "find it with `pgrep -a nginx`, or another program's name"
            raise BadInput("there is no such process", place=f"process {pid}", hint=hint)
        place = f"process {pid} ({process.name})"
        if not process.argv:
            hint = "name the process of a program: `pgrep -a nginx` finds it"
            raise BadInput("it is a thread of the kernel, or has ended", place=place, hint=hint)
        if self.held(pid) is None:
            hint = f"run as {_owner(pid)}, or as root"
            raise BadInput("it is not ours to look into", place=place, hint=hint)
        what = read_apart(pid)
        if what:
            hint = f"run it in there: `nsenter -t {pid} -m -n holdfast audit --live ...`"
            fault = f"it runs in a container with {what} of its own"
            raise BadInput(fault, place=place, hint=hint)
        return process

    def children(self, pid: int) -> tuple[Process, ...]:
        """Those that it started and that still ran, by their numbers."""
        return tuple(self._children.get(pid, ()))

    def held(self, pid: int) -> Held | None:
        """What it had open when it was first asked for; None where that is not ours to read."""
        if pid not in self._held:
            self._held[pid] = read_held(pid)
        return self._held[pid]

    def sockets(self, pid: int) -> frozenset[int]:
        """The inodes of its sockets; none where that is not ours to read."""
        held = self.held(pid)
        return frozenset() if held is None else held.sockets

    @cached_property
    def _children(self) -> dict[int, list[Process]]:
        found: dict[int, list[Process]] = {}
        for process in self:
            found.setdefault(process.parent, []).append(process)
        return found


def read_held(pid: int) -> Held | None:
    """What a process has open now; None where it is gone, or not ours to read."""
    folder, sockets, others = f"/proc/{pid}/fd", set[int](), 0
    try:
        for name in os.listdir(folder):
            with contextlib.suppress(FileNotFoundError):  # closed meanwhile
                found = _SOCKET.fullmatch(os.readlink(f"{folder}/{name}"))
                if found is None:
                    others += 1
                else:
                    sockets.add(int(found[1]))
    except OSError:
        return None
    return Held(frozenset(sockets), others)


def read_apart(pid: int) -> str:
    """What a process has that we do not see as it does: "a network", "files", or nothing."""
    for kind, what in (("net", "a network"), ("mnt", "files")):
        theirs = _link(f"/proc/{pid}/ns/{kind}")
        if theirs and theirs != _link(f"/proc/self/ns/{kind}"):
            return what
    return ""


def read_folder(pid: int) -> str:
    """The folder that a process is in; "/" where that cannot be read."""
    return _link(f"/proc/{pid}/cwd") or "/"


def read_folders(pid: int) -> tuple[str, ...]:
    """The folder that a process is in, and the one that it was started in, if that was told."""
    started = read_variables(pid).get("PWD", "")
    return (read_folder(pid), started) if started else (read_folder(pid),)


def read_program(pid: int) -> str:
    """The file that a process runs, or ""."""
    return _link(f"/proc/{pid}/exe").removesuffix(" (deleted)")


def read_variables(pid: int) -> dict[str, str]:
    """The variables that a process was started with; empty where they cannot be read."""
    try:
        said = _read(f"/proc/{pid}/environ")
    except OSError:
        return {}
    pairs = (word.partition("=") for word in said.split("\0"))
    return {name: value for name, equals, value in pairs if equals and name}


def _process(pid: int, boot_s: float) -> Process | None:
    """The process, or None where it has ended meanwhile."""
    try:
        head, _, rest = _read(f"/proc/{pid}/stat").rpartition(") ")
        words = rest.split()
        argv = _read(f"/proc/{pid}/cmdline").rstrip("\0")
    except OSError:
        return None
    return Process(
        pid=pid,
        parent=int(words[1]),
        name=head.partition("(")[2],
        argv=tuple(argv.split("\0")) if argv else (),
        began_s=boot_s + int(words[19]) / _TICKS,
    )


def _owner(pid: int) -> str:
    try:
        uid = os.stat(f"/proc/{pid}").st_uid
        return f"`{pwd.getpwuid(uid).pw_name}`"
    except KeyError:
        return f"user {uid}"
    except OSError:
        return "its owner"


def _link(path: str) -> str:
    try:
        return os.readlink(path)
    except OSError:
        return ""


def _read(path: str) -> str:
    with open(path, "rb") as file:
        return os.fsdecode(file.read())
