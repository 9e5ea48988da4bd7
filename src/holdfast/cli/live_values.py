"""What is so of programs that run, laid over what was said of them: a difference is kept.

A value that was observed stands last, so that it counts, with what was asked for as `configured`.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence

import msgspec

from holdfast.checks.effective import CHANGED
from holdfast.checks.law import number_of
from holdfast.checks.remedy import PROCESSES
from holdfast.cli.live_programs import SLOT, Running
from holdfast.model.path import Hop, Host, Path, Protocol
from holdfast.model.values import Place, Source, Value, compared, derived, observed
from holdfast.observe.builds import read_version
from holdfast.observe.cgroup import read_memory, read_pids
from holdfast.observe.files import Files
from holdfast.observe.process import read_limits
from holdfast.observe.processes import Process, Processes, read_folder, read_held
from holdfast.observe.queues import Listening, read_accepted
from holdfast.programs.catalog import completed
from holdfast.readers.address import Address, reaches
from holdfast.readers.commands import SERVERS
from holdfast.readers.contract import Found, Listen
from holdfast.readers.contract import Processes as Count

PID, OWN = "pid", "own_descriptors"
CHOSEN = ("backlog", "keep_alive_s")
"""What a supervisor chooses for its slots: no default of theirs, and nobody says it outside."""
SLACK_S = 1.0
"""A file that is younger than its program by less may have been written just before it began."""


class Sockets:
    """The listening sockets of this machine, who holds them, and where they are dialled."""

    def __init__(self, listening: Sequence[Listening], processes: Processes) -> None:
        self.processes = processes
        self._holders: dict[int, list[Process]] = {one.inode: [] for one in listening}
        for process in processes:
            for inode in processes.sockets(process.pid):
                if inode in self._holders:
                    self._holders[inode].append(process)
        self._listening = {one.inode: (one, self._address(one)) for one in listening}

    def _address(self, one: Listening) -> Address:
        """Where it is dialled; a relative path is meant from the folder of who holds it."""
        if not one.path:
            return Address(host=one.host, port=one.port)
        holder = next(iter(self._holders[one.inode]), None)
        folder = read_folder(holder.pid) if holder else "/"
        return Address(path=os.path.realpath(os.path.join(folder, one.path)))

    def owners(self, dialled: Address) -> tuple[Process, ...]:
        """Every process that holds a socket which is found by dialling an address."""
        found = [
            holder
            for inode, (_, address) in self._listening.items()
            if reaches(dialled, address)
            for holder in self._holders[inode]
        ]
        return tuple(dict.fromkeys(found))

    def is_heard(self, dialled: Address) -> bool:
        """Whether anybody listens where an address is dialled."""
        return any(reaches(dialled, address) for _, address in self._listening.values())

    def held(self, running: Running) -> list[tuple[Listening, Address]]:
        """What those who serve listen on; of slots what their supervisor gave them."""
        inodes = frozenset[int]().union(
            *(self.processes.sockets(one.pid) for one in running.serving)
        )
        if running.program == SLOT:
            inodes &= self.processes.sockets(running.first.parent)
        return [self._listening[inode] for inode in sorted(inodes & self._listening.keys())]


def effective(
    found: Found,
    running: Running,
    alike: Running,
    sockets: Sockets,
    files: Sequence[str],
    host: Host,
) -> Found:
    """The hop with what is so of its processes: limits, how many there are, sockets, age.

    `alike` is it with all who serve beside it: who is dialled in turn is as good as the least.
    """
    nofile = _descriptors(alike)
    pids = dict.fromkeys((running.pid, *(process.pid for process in alike.serving)))
    values = [*(observed(PID, pid, f"/proc/{pid}") for pid in pids), nofile]
    if any(value.setting == "worker_rlimit_nofile" for value in found.values):
        values.append(msgspec.structs.replace(nofile, setting="worker_rlimit_nofile"))
    if found.program in SERVERS:
        values.append(_own(alike, sockets))
    most = read_pids(Files(), str(running.pid))[0]
    if most.value is not None and math.isfinite(most.number):
        values.append(most)
    count, more = _processes(found, running, host.cores)
    listens = _listens(found, running, sockets.held(running))
    moved = {old.address: new.address for old, new in zip(found.listens, listens, strict=False)}
    return msgspec.structs.replace(
        found,
        processes=count,
        version=read_version(running.first, "uvicorn" if running.program == SLOT else found.program)
        or found.version,
        copies=1,
        values=(*found.values, *values, *more, *_changed(running, files)),
        listens=listens,
        dials=tuple(
            msgspec.structs.replace(dial, listens=tuple(moved.get(at, at) for at in dial.listens))
            for dial in found.dials
        ),
    )


def _descriptors(running: Running) -> Value:
    """The fewest descriptors that one of those who serve may have."""
    told = [read_limits(process.pid)[0] for process in running.serving]
    known = [value for value in told if value.value is not None]
    least = min(known, key=lambda value: value.number, default=told[0])
    return msgspec.structs.replace(least, setting="nofile")


def _own(running: Running, sockets: Sockets) -> Value:
    """The most descriptors that one of those who serve has open, but for its clients'.

    Its sockets are those that were there before the kernel was asked for clients' and still are.
    """
    clients = read_accepted([one for one, _ in sockets.held(running)])
    told = {}
    for process in running.serving:
        before, after = sockets.processes.held(process.pid), read_held(process.pid)
        if before is not None and after is not None:
            own = (before.sockets & after.sockets) - clients
            told[process.pid] = before.others + len(own)
    if not told:
        return observed(OWN, None, f"/proc/{running.pid}/fd: not readable")
    pid = max(told, key=lambda pid: told[pid])
    return observed(OWN, told[pid], f"/proc/{pid}/fd, less its clients' connections")


def _processes(found: Found, running: Running, cores: float) -> tuple[Count, tuple[Value, ...]]:
    """How many serve, and that as a value where it is not how many were asked for."""
    setting = "worker_processes" if found.program == "nginx" else "workers"
    count, wanted = len(running.serving), found.processes.on(cores) * found.copies
    why = f"processes that accept, of process {running.pid}"
    seen = observed(setting, count, why)
    if running.program == SLOT:  # a socket each
        unknown = (Value(name, None, Source.DERIVED, why) for name in CHOSEN)
        return Count(0, count, seen), (derived(setting, count, why), *unknown)
    if found.program == "haproxy":
        return Count(0, count, seen), ()
    if count == wanted:
        return msgspec.structs.replace(found.processes, a_core=0, more=count), ()
    asked = msgspec.structs.replace(found.processes.value, setting=setting, value=wanted)
    seen = msgspec.structs.replace(seen, configured=asked)
    return Count(0, count, seen), (seen,)


def _changed(running: Running, files: Sequence[str]) -> tuple[Value, ...]:
    """The files that have changed since the oldest of those who serve began."""
    began_s = min(process.began_s for process in running.serving)
    found = []
    for name in files:
        try:
            late_s = 0.0 if name.startswith("/proc/") else os.stat(name).st_mtime - began_s
        except OSError:
            continue
        if late_s > SLACK_S:
            why = f"process {running.pid}"
            found.append(Value(CHANGED, late_s, Source.OBSERVED, why, Place(name, 1, 0, 0)))
    return tuple(found)


def _listens(
    found: Found, running: Running, held: list[tuple[Listening, Address]]
) -> tuple[Listen, ...]:
    """Each socket that was asked for as it is; one that is not there is what is there instead."""
    made: list[Listen] = []
    matched = [[one for one in held if reaches(listen.address, one[1])] for listen in found.listens]
    known = {one.inode for those in matched for one, _ in those}
    rest = sorted((pair for pair in held if pair[0].inode not in known), key=_is_unix)
    if not found.listens:
        place = Place(f"/proc/{running.pid}/fd", 1, 0, 0)
        for address in dict.fromkeys(address for _, address in rest):
            protocol = Protocol.UNIX if address.path else Protocol.HTTP_1
            there = [pair for pair in rest if pair[1] == address]
            made.append(_with_room(Listen(address, protocol, place), there))
    for listen, those in zip(found.listens, matched, strict=True):
        there = those or [pair for pair in rest if pair[1] == rest[0][1]]
        rest = [pair for pair in rest if pair not in there]
        at = listen.address if those or not there else there[0][1]
        made.append(_with_room(msgspec.structs.replace(listen, address=at), there))
    return tuple(made)


def _is_unix(pair: tuple[Listening, Address]) -> bool:
    """Sockets of commands are unix ones, so that they come last."""
    return bool(pair[1].path)


def _with_room(listen: Listen, those: Sequence[tuple[Listening, Address]]) -> Listen:
    """The socket with the least backlog that the kernel grants it."""
    if not those:
        return listen
    room = min(one.room for one, _ in those)
    value = observed("backlog", room, f"sock_diag of {listen.address}")
    return msgspec.structs.replace(listen, values=(*listen.values, value))


def host_of(host: Host, pids: Sequence[int], meant: Mapping[str, Value]) -> Host:
    """The host with the least memory that a group of these processes has left, and what was meant.

    `meant` are values of files that say what the host should have.
    """
    left = [left for pid in pids if (left := read_memory(Files(), str(pid))[1]) is not None]
    least = min(left, key=lambda value: value.number, default=None)
    room = number_of(host.get("memory_available"))
    values = tuple(compared(value, meant.get(value.setting)) for value in host.values)
    if least is not None and (room is None or least.number < room):
        values = (*values, least)
    return msgspec.structs.replace(host, values=values)


def pids_of(path: Path) -> frozenset[int]:
    """The processes of each program on a path."""
    values = (value for hop in path.hops for value in hop.values)
    return frozenset(int(value.number) for value in values if value.setting == PID)


def overlaid(path: Path) -> Path:
    """The path with what was observed after everything else, compared with what was said."""
    return msgspec.structs.replace(path, hops=tuple(_overlaid(hop) for hop in path.hops))


def _overlaid(hop: Hop) -> Hop:
    seen = [value for value in hop.values if value.source is Source.OBSERVED]
    bare = tuple(value for value in hop.values if value.source is not Source.OBSERVED)
    said = completed(msgspec.structs.replace(hop, values=bare))
    over = (
        value if value.setting in PROCESSES else compared(value, said.get(value.setting))
        for value in seen
    )
    return msgspec.structs.replace(said, values=(*said.values, *over))
