"""What this machine and groups of its processes use just now: memory by part, processor seconds.

Reads /proc. Must not know what the groups do, nor what is enough.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec

from holdfast.proof.kernel import read_counters

_TICK_S: Final = 1 / os.sysconf("SC_CLK_TCK")
_KERNEL: Final = ("SUnreclaim", "KernelStack", "PageTables", "Percpu")
_PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")


class Machine(msgspec.Struct, frozen=True):
    """The whole machine at one moment; differences of two say what was used between them.

    `available_bytes` is MemAvailable and the free pages that each processor keeps for itself, which
    MemFree leaves out: since Linux 6.7 these lists grow with use, to hundreds of MB.
    `kernel_bytes` is what grows with sockets and processes: unreclaimable slab, kernel stacks, page
    tables, per-processor memory, and the pages that sockets hold. `reclaimable_bytes` is the other
    slab: MemAvailable counts it as available, though inodes and dentries of open sockets (2.4 KB a
    connected pair) lie in it and stay until they close.
    `busy_s` and `total_s` are processor seconds over all cores since boot; time stolen by the
    host counts as busy, since nobody here can use it.
    `programs_s` is the part of `busy_s` that processes used, and `stolen_s` the host's; the rest is
    the kernel's work in interrupts and softirqs, which is charged to nobody.
    """

    available_bytes: int
    kernel_bytes: int
    reclaimable_bytes: int
    busy_s: float
    total_s: float
    counters: dict[str, int]
    programs_s: float
    stolen_s: float

    @classmethod
    def read(cls) -> Machine:
        """This machine now: meminfo, zoneinfo, stat and net/sockstat of /proc, kernel counters."""
        memory = _meminfo()
        kernel = sum(memory.get(n, 0) for n in _KERNEL)
        busy_s, total_s, programs_s, stolen_s = _cpu()
        return cls(
            available_bytes=memory.get("MemAvailable", 0) + spare_bytes(),
            kernel_bytes=kernel + _socket_bytes(),
            reclaimable_bytes=memory.get("SReclaimable", 0),
            busy_s=busy_s,
            total_s=total_s,
            counters=read_counters(),
            programs_s=programs_s,
            stolen_s=stolen_s,
        )

    def growth_bytes(self, before: Machine) -> int:
        """How much less memory is available than `before`, for whatever reason."""
        return before.available_bytes - self.available_bytes

    def busy(self, before: Machine) -> float:
        """The part of all cores' time that was used since `before`, 0 to 1."""
        total_s = self.total_s - before.total_s
        return min(1.0, (self.busy_s - before.busy_s) / total_s) if total_s > 0 else 0.0


def foreign_share(before: Machine, after: Machine, own_s: float) -> float:
    """The part of all cores' time that neither the run's processes nor the kernel used, 0 to 1.

    `own_s` are the processor seconds of all processes of the run. What is left of the processes'
    time is other programs'; time stolen by the host is added. Interrupts and softirqs are left out:
    nearly all of them are the run's own packets. A kernel that does not measure them
    (CONFIG_IRQ_TIME_ACCOUNTING) charges them to processes too, which only makes the share smaller.
    """
    total_s = after.total_s - before.total_s
    other_s = after.programs_s - before.programs_s - own_s
    stolen_s = after.stolen_s - before.stolen_s
    return max(other_s, 0.0) / total_s + stolen_s / total_s if total_s > 0 else 0.0


class Used(msgspec.Struct, frozen=True):
    """What a group of processes uses: anonymous memory, processor seconds, and who is stopped.

    `each_s` are the processor seconds of each process that is there, by pid.
    """

    bytes: int = 0
    cpu_s: float = 0.0
    processes: int = 0
    stopped: int = 0
    each_s: dict[int, float] = {}


class Group:
    """Sums what a changing set of processes uses; what a process used remains when it has gone."""

    def __init__(self) -> None:
        self._cpu_s: dict[tuple[int, int], float] = {}

    def read(self, pids: Iterable[int]) -> Used:
        """Use of the processes now, and the processor seconds of all that were ever seen.

        Memory is RssAnon of /proc/PID/status, which the kernel keeps count of: proportional set
        sizes would walk every page while the process waits, and only add file pages, which
        MemAvailable counts as available.
        """
        size = processes = stopped = 0
        each_s = {}
        for pid in pids:
            seen = _process(pid)
            if seen is None:
                continue
            born, cpu_s, state = seen
            self._cpu_s[pid, born] = each_s[pid] = cpu_s
            processes += 1
            stopped += state in "Tt"
            size += _anonymous_bytes(pid)
        return Used(size, sum(self._cpu_s.values()), processes, stopped, each_s)


class Groups:
    """The same for named groups."""

    def __init__(self) -> None:
        self._groups: dict[str, Group] = {}

    def read(self, pids: Mapping[str, Sequence[int]]) -> dict[str, Used]:
        """Use of each named group now."""
        return {n: self._groups.setdefault(n, Group()).read(some) for n, some in pids.items()}


def _process(pid: int) -> tuple[int, float, str] | None:
    """When it was born (ticks since boot), its processor seconds, its state; None if gone."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            fields = file.read().rpartition(")")[2].split()
    except OSError:
        return None
    return int(fields[19]), (int(fields[11]) + int(fields[12])) * _TICK_S, fields[0]


def _anonymous_bytes(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/status", encoding="utf-8", errors="replace") as file:
            for line in file:
                if line.startswith("RssAnon:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0


def _meminfo() -> dict[str, int]:
    with open("/proc/meminfo", encoding="ascii") as file:
        rows = (line.split() for line in file)
        return {row[0].rstrip(":"): int(row[1]) * 1024 for row in rows}


def spare_bytes() -> int:
    """Free pages in the processors' own lists (/proc/zoneinfo), in bytes; 0 where it is hidden."""
    try:
        with open("/proc/zoneinfo", encoding="ascii") as file:
            return spare_pages(file.read()) * _PAGE_BYTES
    except OSError:
        return 0


def spare_pages(zoneinfo: str) -> int:
    """The sum of `count:` over all zones and processors."""
    rows = (line.split() for line in zoneinfo.splitlines())
    return sum(int(row[1]) for row in rows if row[0] == "count:")


def _socket_bytes() -> int:
    """Pages that TCP sockets of both families hold in their queues (`mem` of the TCP line)."""
    try:
        with open("/proc/net/sockstat", encoding="ascii") as file:
            for line in file:
                if line.startswith("TCP:"):
                    return int(line.split()[-1]) * _PAGE_BYTES
    except OSError:
        pass
    return 0


def _cpu() -> tuple[float, float, float, float]:
    """Seconds over all cores since boot: busy, all, of processes, stolen by the host."""
    with open("/proc/stat", encoding="ascii") as file:
        seconds = [int(word) * _TICK_S for word in file.readline().split()[1:9]]
    total_s = sum(seconds)  # user nice system idle iowait irq softirq steal
    return total_s - seconds[3] - seconds[4], total_s, sum(seconds[:3]), seconds[7]
