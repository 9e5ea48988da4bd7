"""`holdfast audit --live PID`: from a process to ways, as what is so and not as what is said.

Reads only: /proc, the kernel's list of sockets, the files that the processes name. Prints nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from holdfast.checks.mend import Mended
from holdfast.cli.audit_files import Files
from holdfast.cli.audit_input import Input, ways_of
from holdfast.cli.live_programs import SLOT, SUPERVISOR, Machine, Running, placed, read_running
from holdfast.cli.live_values import Sockets, effective, host_of, overlaid, pids_of
from holdfast.model.errors import BadInput, HoldfastError
from holdfast.model.path import Host
from holdfast.model.values import Value, observed
from holdfast.observe.named import Named
from holdfast.observe.processes import Process, Processes, read_apart
from holdfast.observe.queues import read_queues
from holdfast.observe.units import read_unit_files
from holdfast.readers import systemd
from holdfast.readers.address import Address
from holdfast.readers.commands import EDGES, SERVERS
from holdfast.readers.contract import Found, Read
from holdfast.readers.text import Given, Text

KNOWN = ", ".join((*EDGES, *SERVERS))
STARTED_WITH = frozenset({"nofile", "pids_max"})
"""What a program has because of who starts it."""


class _Walk:
    """Follows requests from one process on: who listens where an edge dials, and what that is."""

    def __init__(self, named: Named) -> None:
        self.named = named
        self.processes = Processes()
        try:
            listening = read_queues()
        except OSError as error:
            raise HoldfastError(
                f"the kernel does not say which sockets are listened on: {error.strerror}",
                place="inet_diag and unix_diag (NETLINK_SOCK_DIAG)",
                hint="load the modules tcp_diag and unix_diag, or allow AF_NETLINK in the sandbox",
            ) from error
        self.machine = Machine(self.processes, [one.inode for one in listening])
        self.sockets = Sockets(listening, self.processes)
        self.reads: list[tuple[Running, Read]] = []
        self.unknown: list[str] = []

    def start(self, process: Process) -> tuple[Running, ...]:
        """What the process is part of: a program, or all that a supervisor has started."""
        running = self.machine.running(process)
        parent = self.processes.get((process if running is None else running.first).parent)
        above = None if parent is None else self.machine.running(parent)
        for each in (running, above):
            if each is not None and each.program == SUPERVISOR:
                self.processes.ours(each.pid)
                return self._supervised(each)
        if running is None:
            fault = "it is no program whose limits are known"
            hint = f"name a process of {KNOWN}, or of `holdfast up`"
            raise BadInput(fault, place=f"process {process.pid} ({process.name})", hint=hint)
        return (running,)

    def _supervised(self, supervisor: Running) -> tuple[Running, ...]:
        """A stack of `holdfast up`: its workers as one, and its edge's processes as one."""
        families: dict[str, list[Running]] = {SLOT: []}
        for child in self.processes.children(supervisor.pid):
            running = self.machine.running(child)
            if running is not None and running.program != SUPERVISOR:
                families.setdefault(running.program, []).append(running)
        if not families[SLOT]:
            place = f"process {supervisor.pid} ({supervisor.first.name})"
            hint = "wait until it says that it serves"
            raise BadInput("it has started no workers yet", place=place, hint=hint)
        return tuple(
            msgspec.structs.replace(those[0], serving=tuple(p for o in those for p in o.serving))
            for those in families.values()
        )

    def follow(self, running: Running) -> None:
        """Read a program, and whoever listens where it dials."""
        if self._is_known(running):
            return
        self.processes.ours(running.pid)
        read = read_running(running, self.named)
        self.reads.append((running, read))
        for address in dict.fromkeys(_dialled(read)):
            owners = self.sockets.owners(address)
            behind = next((one for one in map(self._program, owners) if one is not None), None)
            if behind is not None:
                try:
                    self.follow(behind)
                except BadInput as wrong:
                    said = f"process {behind.pid} ({behind.first.name}): {wrong.fault}"
                    self.unknown.append(f"{address} is of {said}")
            elif owners:
                who = f"process {owners[0].pid} ({owners[0].name})"
                self.unknown.append(f"{address} is of {who}, whose limits are not known")
            elif self.sockets.is_heard(address):
                self.unknown.append(f"{address} is of a process that is not ours to look into")

    def fronts(self, pids: frozenset[int]) -> None:
        """Read every edge of this machine that dials one of these processes, or dials such one."""
        dials = {running: self._reached(running) for running in self._other_edges()}
        while new := [running for running, reached in dials.items() if reached & pids]:
            for running in new:
                del dials[running]
                self.follow(running)
                pids |= {running.pid, *(process.pid for process in running.serving)}

    def alike(self, running: Running) -> Running:
        """The program with all who serve of those like it that one edge dials beside it."""
        found = {running.pid: running}
        for dial in (dial for _, read in self.reads for hop in read.hops for dial in hop.dials):
            those = [known for server in dial.servers for known in self._known(server.address)]
            if running in those:
                found |= {one.pid: one for one in those if one.program == running.program}
        serving = tuple(process for one in found.values() for process in one.serving)
        return msgspec.structs.replace(running, serving=serving)

    def _known(self, address: Address) -> Iterator[Running]:
        pids = {owner.pid for owner in self.sockets.owners(address)}
        return (one for one, _ in self.reads if pids & {process.pid for process in one.serving})

    def _other_edges(self) -> Iterator[Running]:
        """Those that were not read, but for other containers'."""
        for process in self.processes:
            running = self.machine.running(process) if self._is_edge(process) else None
            if running is None or running.first != process or self._is_known(running):
                continue
            if self.processes.held(process.pid) is None or not read_apart(process.pid):
                yield running

    def _reached(self, edge: Running) -> frozenset[int]:
        """The processes that listen where an edge dials; none where it cannot be read."""
        try:
            self.processes.ours(edge.pid)
            read = read_running(edge, self.named)
        except BadInput as wrong:
            self.named.left[f"process {edge.pid} ({edge.first.name})"] = wrong.fault
            return frozenset()
        owners = (self.sockets.owners(address) for address in _dialled(read))
        return frozenset(owner.pid for those in owners for owner in those)

    def _program(self, process: Process) -> Running | None:
        """The program that a process is of; a worker of `holdfast up` stands for all of them."""
        running = self.machine.running(process)
        if running is None or running.program == SUPERVISOR:
            return None
        return self.start(process)[0] if running.program == SLOT else running

    def _is_edge(self, process: Process) -> bool:
        return self.machine.program(process) in EDGES

    def _is_known(self, running: Running) -> bool:
        return any(
            running.pid in {one.pid for one in known.serving} | {known.pid}
            for known, _ in self.reads
        )


class Live(msgspec.Struct, frozen=True):
    """What a stack that runs is: the ways through it, the files that were read, the versions."""

    found: Input
    named: Named
    versions: dict[str, Value]


def read_live(
    pid: int, host: Host, meant: Sequence[Read], versions: Mapping[str, Value], nofile: Value
) -> Live:
    """Every way through the programs that a process is part of, with what is so of each.

    `meant` is what further files ask for: units and sysctls. Raises BadInput where the process is
    not there, is not ours, or is no program that is known.
    """
    walk = _Walk(Named())
    started = walk.start(walk.processes.ours(pid))
    for running in started:
        walk.follow(running)
    pids = frozenset(one.pid for running in started for one in (running.first, *running.serving))
    walk.fronts(pids)
    told = [value for read in meant for value in read.host]
    everybody = [running.pid for running, _ in walk.reads]
    host = host_of(host, everybody, {value.setting: value for value in told})
    edges = Counter(hop.name for one, read in walk.reads for hop in read.hops if one.is_edge)
    reads = [
        msgspec.structs.replace(
            read,
            hops=tuple(
                effective(
                    _named(hop, running, edges),
                    running,
                    walk.alike(running),
                    walk.sockets,
                    read.files,
                    host,
                )
                for hop in _asked(read.hops, meant, _units(running, walk.named))
            ),
        )
        for running, read in walk.reads
    ]
    found = ways_of(Files(reads), host, versions, nofile)
    ways = [way for way in found.ways if pids & pids_of(way.path)]
    if not ways:
        hint = "give its files instead: `holdfast audit FILE...`"
        place = f"process {pid}"
        raise BadInput("nothing says how requests reach it", place=place, hint=hint)
    found = msgspec.structs.replace(
        found,
        ways=tuple(msgspec.structs.replace(way, path=overlaid(way.path)) for way in ways),
        unjoined=(*found.unjoined, *dict.fromkeys(walk.unknown)),
    )
    seen = {
        hop.program: observed(hop.program, hop.version, "what it runs from")
        for read in reads
        for hop in read.hops
        if hop.version
    }
    return Live(found, walk.named, {**versions, **seen})


def _named(hop: Found, running: Running, edges: Counter[str]) -> Found:
    """The hop by a name of its own, where one edge stands before another of its program."""
    if edges[hop.name] < 2:
        return hop
    return msgspec.structs.replace(hop, name=f"{hop.name} of process {running.pid}")


def without_proc(mended: Mended) -> Mended:
    """The changes, of which those of a command line have no file that could be edited."""
    return msgspec.structs.replace(
        mended,
        changes=tuple(
            msgspec.structs.replace(change, edits=())
            if any(edit.place.file.startswith("/proc/") for edit in change.edits)
            else change
            for change in mended.changes
        ),
    )


def _units(running: Running, named: Named) -> Iterator[Read]:
    """What the unit asks for that has started a program, and each of its drop-ins."""
    for path in read_unit_files(running.pid):
        data = named.read(path.removeprefix("/"))
        if data is not None:
            read = systemd.READER.read(Text(path.removeprefix("/"), data), Given())
            yield placed(read, named.real, "/")


def _asked(hops: Sequence[Found], meant: Sequence[Read], unit: Iterable[Read]) -> Iterator[Found]:
    """The hops with what their unit, and files for their programs, ask for before they do."""
    own = [values for read in unit for _, values in _told(read)]
    for hop in hops:
        beside = [v for read in meant for program, v in _told(read) if program == hop.program]
        values = [v for told in (*own, *beside) for v in told if v.setting in STARTED_WITH]
        yield msgspec.structs.replace(hop, values=(*values, *hop.values))


def _told(read: Read) -> Iterator[tuple[str, tuple[Value, ...]]]:
    """What a text says of programs: of those that it starts, and of those around which it is."""
    yield from ((around.program, around.values) for around in read.around)
    yield from ((hop.program, hop.values) for hop in read.hops)


def _dialled(read: Read) -> Iterator[Address]:
    return (server.address for hop in read.hops for dial in hop.dials for server in dial.servers)
