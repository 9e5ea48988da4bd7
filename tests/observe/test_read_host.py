"""What is read of a host, from planted files and from the real machine."""

from __future__ import annotations

import math
import os
import resource
from pathlib import Path

import pytest

from holdfast.model.values import Source
from holdfast.observe.host import SYSCTLS, read_host
from holdfast.observe.probe import can_set_nofile
from tests.observe.trees import machine, plant, read_in_child, said, why

NOBODY = 65534
"""The user without rights; a child becomes it once it has imported what root may read."""


def sysctl(name: str) -> str:
    return Path("/proc/sys", *name.split(".")).read_text()


def test_a_planted_host_is_read_value_by_value(tmp_path: Path) -> None:
    """Each setting is the word of its file that it is named for, and says which file."""
    host = read_host(plant(tmp_path, machine()), name="web")
    assert (host.name, host.cores, host.memory_bytes) == ("web", 4.0, 8 * 2**30)
    expected = {
        "memory_available": 6 * 2**30,
        "cpu_affinity_cores": 4,
        "nofile_soft": 1024,
        "nofile_hard": 524288,
        "somaxconn": 4096,
        "port_low": 32768,
        "port_high": 60999,
        "reserved_ports": "40000-40100",
        "file_max": math.inf,
        "file_used": 1856,
        "tcp_mem_pages": 189486,
        "cpu_model": "A Processor 3000",
    }
    assert {setting: said(host, setting) for setting in expected} == expected
    assert why(host, "tcp_mem_pages") == "/proc/sys/net/ipv4/tcp_mem"
    assert {value.source for value in host.values} == {Source.OBSERVED}


def test_a_file_that_is_missing_gives_no_value_and_says_so(tmp_path: Path) -> None:
    """An empty machine is read without an exception: every value is None, with its file's name."""
    host = read_host(str(tmp_path))
    known = {value.setting for value in host.values if value.value is not None}
    assert known == {"page_bytes", "conntrack_tracks"}
    assert (host.cores, host.memory_bytes) == (1.0, 0)
    assert why(host, "somaxconn") == "/proc/sys/net/core/somaxconn: no such file"


def test_a_file_that_cannot_be_read_gives_no_value_and_says_why(tmp_path: Path) -> None:
    """A folder in a file's place is a fault in the reason, not an exception."""
    (tmp_path / "proc/sys/net/core/somaxconn").mkdir(parents=True)
    host = read_host(str(tmp_path))
    assert said(host, "somaxconn") is None
    assert why(host, "somaxconn") == "/proc/sys/net/core/somaxconn: not readable: Is a directory"


@pytest.mark.parametrize("garbage", ["", "\n", "-", "four\n", "1 2", "\x00\xff", "Max open files"])
def test_garbage_in_every_file_is_survived(tmp_path: Path, garbage: str) -> None:
    """Whatever the files say, reading them never raises."""
    fixed = {"/proc/self/cgroup": "0::/a\n", "/proc/self/mountinfo": "x / /c - cgroup2 c rw\n"}
    tree = dict.fromkeys(machine(), garbage) | {
        f"/c/{name}": garbage
        for name in ("memory.max", "memory.current", "memory.stat", "cpu.max", "pids.max")
    }
    plant(tmp_path, tree, {path: garbage for _, path, _ in SYSCTLS})
    read_host(str(tmp_path))
    plant(tmp_path, fixed)
    read_host(str(tmp_path))


@pytest.mark.parametrize(
    ("capabilities", "uid_map", "hard", "raisable"),
    [
        ("000001ffffffffff", "0 0 4294967295", "524288", True),
        ("000001fffeffffff", "0 0 4294967295", "524288", False),
        ("000001ffffffffff", "0 100000 65536", "524288", False),
        ("000001ffffffffff", "0 0 4294967295", "1048576", False),
        ("000001ffffffffff", "0 0 4294967295", "unlimited", False),
        ("000001ffffffffff", "0 0 4294967295", "", None),
    ],
)
def test_raising_needs_the_capability_the_first_user_namespace_and_room(
    tmp_path: Path, capabilities: str, uid_map: str, hard: str, raisable: bool | None
) -> None:
    """CAP_SYS_RESOURCE counts in the initial user namespace only, and nr_open is the end."""
    tree = machine()
    tree["/proc/self/status"] = f"CapEff:\t{capabilities}\n"
    tree["/proc/self/uid_map"] = f"{uid_map}\n"
    tree["/proc/self/limits"] = f"Max open files            1024    {hard}    files\n"
    assert said(read_host(plant(tmp_path, tree)), "nofile_raisable") is raisable


@pytest.mark.parametrize(("count", "tracks"), [("0", False), ("1", True), (None, False)])
def test_conntrack_of_a_planted_host_tracks_when_it_has_entries(
    tmp_path: Path, count: str | None, tracks: bool
) -> None:
    """An entry means that it tracks; no file means that it is not loaded."""
    file = "/proc/sys/net/netfilter/nf_conntrack_count"
    tree = {} if count is None else {file: f"{count}\n"}
    assert said(read_host(plant(tmp_path, machine(), tree)), "conntrack_tracks") is tracks


def test_this_machine_reads_as_its_kernel_says() -> None:
    """Values of the real host equal those of direct reads, of getrlimit and of the scheduler."""
    host = read_host()
    assert said(host, "somaxconn") == int(sysctl("net.core.somaxconn"))
    assert said(host, "tcp_max_syn_backlog") == int(sysctl("net.ipv4.tcp_max_syn_backlog"))
    ports = sysctl("net.ipv4.ip_local_port_range").split()
    assert [said(host, "port_low"), said(host, "port_high")] == [int(port) for port in ports]
    assert said(host, "nr_open") == int(sysctl("fs.nr_open"))
    assert said(host, "tw_buckets") == int(sysctl("net.ipv4.tcp_max_tw_buckets"))
    assert said(host, "tcp_mem_pages") == int(sysctl("net.ipv4.tcp_mem").split()[2])
    assert said(host, "kernel_release") == os.uname().release
    assert said(host, "page_bytes") == resource.getpagesize()
    assert said(host, "cpu_affinity_cores") == len(os.sched_getaffinity(0))
    limits = (said(host, "nofile_soft"), said(host, "nofile_hard"))
    assert limits == resource.getrlimit(resource.RLIMIT_NOFILE)
    assert 0 < host.memory_bytes <= os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    assert 0 < host.cores <= len(os.sched_getaffinity(0))


@pytest.mark.slow
def test_lowered_limits_of_a_real_process_are_seen() -> None:
    """A child with RLIMIT_NOFILE (1024, 4096) on one processor reads just that."""
    seen = read_in_child(
        "resource.setrlimit(resource.RLIMIT_NOFILE, (1024, 4096))\n"
        "os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})"
    )
    settings = ("nofile_soft", "nofile_hard", "cpu_affinity_cores")
    assert [seen[setting][0] for setting in settings] == [1024, 4096, 1]


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="becoming another user needs root")
def test_an_unprivileged_user_reads_all_and_cannot_raise() -> None:
    """Without capabilities the hard limit cannot be raised; all else is read as by root."""
    seen = read_in_child(f"os.setgroups([]); os.setgid({NOBODY}); os.setuid({NOBODY})")
    tried = "setrlimit(RLIMIT_NOFILE) to one more, tried in a child"
    assert seen["nofile_raisable"] == (False, tried)
    unknown = {setting for setting, (value, _) in seen.items() if value is None}
    assert unknown == {value.setting for value in read_host().values if value.value is None}


def test_trying_a_hard_limit_leaves_this_process_as_it_was() -> None:
    """A hard limit may be kept or lowered, never set past nr_open; the asker's own stays."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    past_the_end = int(sysctl("fs.nr_open")) + 1
    tried = [can_set_nofile(hard) for hard in (before[1], before[1] - 1, past_the_end)]
    assert (tried, resource.getrlimit(resource.RLIMIT_NOFILE)) == ([True, True, False], before)


@pytest.mark.parametrize(
    ("setting", "path", "text", "value"),
    [
        ("threads_used", "/proc/loadavg", "0.04 0.20 0.23 1/206 94\n", 206),
        ("packets_dropped", "/proc/net/softnet_stat", "0a 0000000f 1\n0b 00000001 2\n", 16),
        ("uid", "/proc/self/status", "Uid:\t1000\t33\t1000\t1000\n", 33),
    ],
)
def test_a_word_inside_a_line_is_read(
    tmp_path: Path, setting: str, path: str, text: str, value: int
) -> None:
    """Threads behind a slash, drops of every processor in hexadecimal, the effective user."""
    assert said(read_host(plant(tmp_path, machine(), {path: text})), setting) == value
