"""Reads the host that we run on into a record, each value with the file that it came from.

Must not know what is wanted of the host. A file that is not there gives a value of None.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable

import msgspec

from holdfast.model.path import Count, Host
from holdfast.model.values import Scalar, Value, observed
from holdfast.observe.cgroup import read_cpu_quota, read_memory, read_pids
from holdfast.observe.files import Files, field, value_of, word
from holdfast.observe.probe import can_set_nofile, sent_to_self
from holdfast.observe.process import read_nofile

CAP_SYS_RESOURCE = 24
"""The capability's bit in CapEff (linux/capability.h); raising a hard limit needs it."""
INITIAL_UID_MAP = ["0", "0", "4294967295"]
"""/proc/self/uid_map of the initial user namespace, the one where that capability counts."""
CPUINFO_HEAD_BYTES = 4096
"""The first processor's entry is enough; the whole file takes long on a host of many cores."""

CONNTRACK_COUNT = "/proc/sys/net/netfilter/nf_conntrack_count"
UDP_LOOPBACK = "a datagram to itself over loopback"

Row = tuple[str, str, Callable[[str], Scalar]]
SYSCTLS: tuple[Row, ...] = (
    ("somaxconn", "/proc/sys/net/core/somaxconn", word(0)),
    ("tcp_max_syn_backlog", "/proc/sys/net/ipv4/tcp_max_syn_backlog", word(0)),
    ("port_low", "/proc/sys/net/ipv4/ip_local_port_range", word(0)),
    ("port_high", "/proc/sys/net/ipv4/ip_local_port_range", word(1)),
    ("reserved_ports", "/proc/sys/net/ipv4/ip_local_reserved_ports", str.strip),
    ("file_max", "/proc/sys/fs/file-max", word(0)),
    ("file_used", "/proc/sys/fs/file-nr", word(0)),
    ("nr_open", "/proc/sys/fs/nr_open", word(0)),
    ("tcp_mem_pages", "/proc/sys/net/ipv4/tcp_mem", word(2)),
    ("conntrack_max", "/proc/sys/net/netfilter/nf_conntrack_max", word(0)),
    ("conntrack_count", CONNTRACK_COUNT, word(0)),
    ("tw_buckets", "/proc/sys/net/ipv4/tcp_max_tw_buckets", word(0)),
    ("syncookies", "/proc/sys/net/ipv4/tcp_syncookies", word(0)),
    ("pid_max", "/proc/sys/kernel/pid_max", word(0)),
    ("threads_max", "/proc/sys/kernel/threads-max", word(0)),
    ("netdev_max_backlog", "/proc/sys/net/core/netdev_max_backlog", word(0)),
    ("kernel_release", "/proc/sys/kernel/osrelease", str.strip),
)


def read_host(root: str = "/", name: str = "here") -> Host:
    """This host, or the one whose files lie below `root`, as a record with every value's source.

    `cores` is the smaller of affinity and cgroup quota, 1 where neither can be read;
    `memory_bytes` the smaller of MemTotal and cgroup limit, 0 where neither can. Takes a few
    milliseconds, and never raises for a file that is missing, unreadable or malformed.
    """
    files = Files(os.path.join(root, ""))
    meminfo = files.read("/proc/meminfo")
    total = value_of("MemTotal", meminfo, _kib("MemTotal"))
    available = value_of("memory_available", meminfo, _kib("MemAvailable"))
    cgroup_memory, left = read_memory(files)
    quota, affinity = read_cpu_quota(files), _affinity(files)
    nofile = read_nofile(files, "self")
    sysctls = tuple(value_of(setting, files.read(path), parse) for setting, path, parse in SYSCTLS)
    nr_open = next(value for value in sysctls if value.setting == "nr_open")
    values = (
        _least(available, left),
        msgspec.structs.replace(available, setting="host_memory_available"),
        quota,
        affinity,
        *nofile,
        _raisable(files, nofile[1], nr_open),
        *sysctls,
        value_of("threads_used", files.read("/proc/loadavg"), _threads),
        value_of("packets_dropped", files.read("/proc/net/softnet_stat"), _dropped),
        value_of("uid", files.read("/proc/self/status"), _effective_uid),
        observed("page_bytes", os.sysconf("SC_PAGE_SIZE"), "sysconf(SC_PAGE_SIZE)"),
        _conntrack_tracks(files),
        *read_pids(files),
        *cgroup_memory,
        _cpu_model(files),
    )
    cores, memory_bytes = _least(affinity, quota), _least(total, cgroup_memory[0])
    return Host(
        name=name,
        count=Count(),
        cores=cores.number if cores.value is not None else 1.0,
        memory_bytes=int(memory_bytes.number) if memory_bytes.value is not None else 0,
        values=values,
    )


def _least(first: Value, second: Value | None) -> Value:
    """The smaller of two values of which each may be unknown; `first` where it makes no odds."""
    if second is None or second.value is None:
        return first
    if first.value is None:
        return first if math.isinf(second.number) else second
    return min(first, second, key=lambda value: value.number)


def _kib(name: str) -> Callable[[str], int]:
    return lambda text: int(field(name, text, ":").split()[0]) * 1024


def _threads(text: str) -> int:
    """Threads of the whole host: after the slash of the fourth word, "1/206"."""
    return int(text.split()[3].split("/")[1])


def _dropped(text: str) -> int:
    """The second hexadecimal word of each processor's line, summed."""
    return sum(int(line.split()[1], 16) for line in text.splitlines())


def _effective_uid(text: str) -> int:
    return int(field("Uid", text, ":").split()[1])


def _affinity(files: Files) -> Value:
    def parse(text: str) -> int:
        spans = [span.partition("-") for span in field("Cpus_allowed_list", text, ":").split(",")]
        return sum(int(last or first) - int(first) + 1 for first, _, last in spans)

    return value_of("cpu_affinity_cores", files.read("/proc/self/status"), parse)


def _raisable(files: Files, hard: Value, nr_open: Value) -> Value:
    """Whether this process can raise its hard limit: by its capability, and by trying to."""
    setting = "nofile_raisable"
    status, uid_map = files.read("/proc/self/status"), files.read("/proc/self/uid_map")
    bits = value_of(setting, status, lambda text: int(field("CapEff", text, ":"), 16))
    if hard.value is None or bits.value is None:
        return observed(setting, None, hard.why if hard.value is None else bits.why)
    end = math.inf if nr_open.value is None else nr_open.number
    if hard.number >= end:
        return observed(setting, False, f"{hard.why}: as high as {nr_open.why} lets it be")
    if files.live:
        can = can_set_nofile(int(hard.number) + 1)
        return observed(setting, can, "setrlimit(RLIMIT_NOFILE) to one more, tried in a child")
    capable = bool(int(bits.number) >> CAP_SYS_RESOURCE & 1)
    initial = (uid_map.text or "").split() == INITIAL_UID_MAP
    return observed(setting, capable and initial, f"{status.path} CapEff, {uid_map.path}")


def _conntrack_tracks(files: Files) -> Value:
    """Whether connections are tracked now: a rule makes them so, not that the module is there.

    Rules can be read with CAP_NET_ADMIN only. Their effect can be seen by anybody: a datagram that
    this host sends to itself becomes an entry, which stays for 30 s.
    """
    setting, why = "conntrack_tracks", CONNTRACK_COUNT
    text = files.read(CONNTRACK_COUNT)
    if text.missing:
        return observed(setting, False, f"{text.why}: not loaded")
    before = value_of(setting, text, word(0))
    if before.value is None or before.number > 0:
        return observed(setting, None if before.value is None else True, before.why)
    if not files.live:
        return observed(setting, False, why)
    if not sent_to_self():
        return observed(setting, None, f"{why}: 0, and {UDP_LOOPBACK} cannot be sent")
    after = value_of(setting, files.read(CONNTRACK_COUNT), word(0))
    tracks = None if after.value is None else after.number > 0
    return observed(setting, tracks, f"{why}, after {UDP_LOOPBACK}")


def _cpu_model(files: Files) -> Value:
    text = files.read("/proc/cpuinfo", CPUINFO_HEAD_BYTES)
    return value_of("cpu_model", text, lambda t: field("model name", t, ":"))
