"""What cgroups allow: version 1, version 2, both, containers, services, and real groups."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from holdfast.model.path import Host
from holdfast.model.values import Scalar
from holdfast.observe.host import read_host
from tests.observe.trees import (
    MIB,
    V1_UNLIMITED,
    below,
    machine,
    mounted,
    plant,
    read_in_child,
    said,
    version_1,
    version_2,
    why,
)

CGROUPS = Path("/sys/fs/cgroup")
SETTINGS = ("cgroup_memory_max", "cgroup_memory_used", "cpu_quota_cores", "pids_max", "pids_used")


def seen(host: Host) -> tuple[Scalar | None, ...]:
    return tuple(said(host, setting) for setting in SETTINGS)


def test_version_2_takes_the_smallest_limit_on_the_way_up(tmp_path: Path) -> None:
    """A service is held by its slice where that allows less, each resource by its own group."""
    slice_, service = "/sys/fs/cgroup/system.slice", "/sys/fs/cgroup/system.slice/app.service"
    host = read_host(
        plant(
            tmp_path,
            machine(),
            version_2(),
            below(slice_, memory_max=1024 * MIB, memory_current=600 * MIB),
            below(slice_, cpu_max="max 100000", pids_max="max", pids_current=90),
            below(service, memory_max="max", memory_current=300 * MIB),
            below(service, cpu_max="150000 100000", pids_max=512, pids_current=12),
        )
    )
    assert seen(host) == (1024 * MIB, 600 * MIB, 1.5, 512, 12)
    assert (host.cores, host.memory_bytes) == (1.5, 1024 * MIB)
    assert said(host, "memory_available") == 424 * MIB
    assert why(host, "cgroup_memory_max") == f"{slice_}/memory.max"


def test_file_pages_of_a_group_are_available(tmp_path: Path) -> None:
    """What the kernel can reclaim is not in use: page cache and reclaimable slab."""
    folder = "/sys/fs/cgroup/system.slice/app.service"
    stat = f"anon {100 * MIB}\ninactive_file {200 * MIB}\nactive_file {50 * MIB}\n"
    stat += f"shmem {70 * MIB}\nslab_reclaimable {30 * MIB}\nslab_unreclaimable {9 * MIB}"
    group = below(folder, memory_max=1000 * MIB, memory_current=500 * MIB, memory_stat=stat)
    host = read_host(plant(tmp_path, machine(), version_2(), group))
    assert said(host, "memory_available") == (1000 - 500 + 200 + 50 + 30) * MIB


def test_the_group_with_least_left_decides_what_is_available(tmp_path: Path) -> None:
    """A roomy but crowded ancestor leaves less than a small empty group."""
    parent, own = "/sys/fs/cgroup/system.slice", "/sys/fs/cgroup/system.slice/app.service"
    crowded = below(parent, memory_max=4000 * MIB, memory_current=3900 * MIB)
    roomy = below(own, memory_max=500 * MIB, memory_current=10 * MIB)
    host = read_host(plant(tmp_path, machine(), version_2(), crowded, roomy))
    assert said(host, "memory_available") == 100 * MIB
    assert said(host, "cgroup_memory_max") == 500 * MIB


def test_memory_high_is_a_limit(tmp_path: Path) -> None:
    """systemd's MemoryHigh stalls a service before MemoryMax kills it."""
    folder = "/sys/fs/cgroup/system.slice/app.service"
    group = below(folder, memory_max=900 * MIB, memory_high=700 * MIB, memory_current=0)
    host = read_host(plant(tmp_path, machine(), version_2(), group))
    assert said(host, "cgroup_memory_max") == 700 * MIB
    assert why(host, "cgroup_memory_max") == f"{folder}/memory.high"


def test_the_machine_decides_where_its_groups_allow_more(tmp_path: Path) -> None:
    """A quota of 64 cores and a limit of 1 TiB do not make the machine larger."""
    folder = "/sys/fs/cgroup/system.slice/app.service"
    group = below(folder, memory_max=2**40, memory_current=MIB, cpu_max="6400000 100000")
    host = read_host(plant(tmp_path, machine(), version_2(), group))
    assert (host.cores, host.memory_bytes) == (4.0, 8 * 2**30)
    assert said(host, "memory_available") == 6 * 2**30


def test_version_1_reads_each_controller_in_its_own_hierarchy(tmp_path: Path) -> None:
    """Memory, quota over period and pids; the empty version 2 beside them is not asked."""
    base = "/sys/fs/cgroup"
    stat = f"total_inactive_file {40 * MIB}\ntotal_active_file {10 * MIB}\ninactive_file 7"
    memory = below(
        f"{base}/memory/docker/abc",
        memory_limit_in_bytes=512 * MIB,
        memory_usage_in_bytes=200 * MIB,
        memory_stat=stat,
    )
    cpu = below(f"{base}/cpu,cpuacct/docker/abc", cpu_cfs_quota_us=50000, cpu_cfs_period_us=100000)
    pids = below(f"{base}/pids/docker/abc", pids_max=100, pids_current=7)
    top = {f"{base}/memory/memory.limit_in_bytes": V1_UNLIMITED}
    host = read_host(plant(tmp_path, machine(), version_1(), memory, cpu, pids, top))
    assert seen(host) == (512 * MIB, 200 * MIB, 0.5, 100, 7)
    assert said(host, "memory_available") == (512 - 200 + 40 + 10) * MIB


def test_the_numbers_for_no_limit_in_version_1_are_infinity(tmp_path: Path) -> None:
    """The huge limit_in_bytes, a quota of -1 and "max" are no limits; use is the group's own."""
    base = "/sys/fs/cgroup"
    tree = below(f"{base}/cpu,cpuacct/docker/abc", cpu_cfs_quota_us=-1, cpu_cfs_period_us=100000)
    tree |= below(f"{base}/pids/docker/abc", pids_max="max", pids_current=7)
    tree |= {f"{base}/memory/docker/abc/memory.limit_in_bytes": V1_UNLIMITED}
    tree |= {f"{base}/memory/docker/abc/memory.usage_in_bytes": f"{5 * MIB}\n"}
    host = read_host(plant(tmp_path, machine(), version_1(), tree))
    assert seen(host) == (math.inf, 5 * MIB, math.inf, math.inf, 7)
    assert (host.cores, host.memory_bytes) == (4.0, 8 * 2**30)


def test_hybrid_reads_a_controller_of_version_2_beside_those_of_version_1(tmp_path: Path) -> None:
    """What no version 1 hierarchy has is read in the unified one."""
    tree = version_1()
    lines = tree["/proc/self/cgroup"].splitlines()
    tree["/proc/self/cgroup"] = "\n".join(line for line in lines if "pids" not in line)
    unified = below("/sys/fs/cgroup/unified/init.scope", pids_max=33, pids_current=3)
    memory = {"/sys/fs/cgroup/memory/docker/memory.limit_in_bytes": f"{64 * MIB}\n"}
    host = read_host(plant(tmp_path, machine(), tree, unified, memory))
    assert (said(host, "pids_max"), said(host, "cgroup_memory_max")) == (33, 64 * MIB)


@pytest.mark.parametrize(
    "tree",
    [
        pytest.param(version_2("/"), id="its own cgroup namespace"),
        pytest.param(version_2("/docker/abc", root="/docker/abc"), id="the host's namespace"),
        pytest.param(version_2("/docker/abc/", root="/docker/abc"), id="a trailing slash"),
    ],
)
def test_a_container_sees_its_own_group_at_the_top(tmp_path: Path, tree: dict[str, str]) -> None:
    """Its limits lie in the mount's top folder, whatever the group is called outside."""
    top = below("/sys/fs/cgroup", memory_max=256 * MIB, memory_current=MIB, cpu_max="25000 100000")
    host = read_host(plant(tmp_path, machine(), tree, top, below("/sys/fs/cgroup", pids_max=64)))
    assert said(host, "cgroup_memory_max") == 256 * MIB
    assert (host.cores, said(host, "pids_max")) == (0.25, 64)


@pytest.mark.parametrize("tree", [version_2("/../other"), version_2("/a", root="/b")])
def test_a_group_that_no_mount_shows_is_unknown_not_unlimited(
    tmp_path: Path, tree: dict[str, str]
) -> None:
    """Where the process's group is outside what is mounted, its limits are None and say so."""
    host = read_host(plant(tmp_path, machine(), tree, below("/sys/fs/cgroup", memory_max=MIB)))
    assert seen(host) == (None,) * 5
    assert why(host, "pids_max") == (
        "/proc/self/mountinfo: no pids cgroup of this process is mounted"
    )


def test_no_limit_file_on_the_way_up_is_no_limit(tmp_path: Path) -> None:
    """The root group of a host has no limit files: that is infinity, and says so."""
    (tmp_path / "sys/fs/cgroup").mkdir(parents=True)
    host = read_host(plant(tmp_path, machine(), version_2("/")))
    assert seen(host) == (math.inf, None, math.inf, math.inf, None)
    assert why(host, "pids_max") == "/sys/fs/cgroup: no pids.max from here up, so no limit"


def test_a_limit_file_that_cannot_be_read_is_unknown_not_unlimited(tmp_path: Path) -> None:
    """A limit that is there but unreadable must not pass for none."""
    for name in ("memory.max", "cpu.max", "pids.max"):
        (tmp_path / "sys/fs/cgroup" / name).mkdir(parents=True)
    host = read_host(plant(tmp_path, machine(), version_2("/")))
    assert seen(host) == (None,) * 5
    assert why(host, "cpu_quota_cores") == "/sys/fs/cgroup/cpu.max: not readable: Is a directory"


def test_a_mount_point_with_a_space_is_found(tmp_path: Path) -> None:
    """mountinfo writes a space as an octal escape."""
    tree = version_2("/")
    tree["/proc/self/mountinfo"] = mounted(("/", "/my\\040groups", "cgroup2", "rw"))
    host = read_host(plant(tmp_path, machine(), tree, below("/my groups", pids_max=9)))
    assert said(host, "pids_max") == 9


@pytest.fixture
def real_group(request: pytest.FixtureRequest) -> Iterator[Path]:
    """An empty group of this test's own in a version 1 hierarchy; removed afterwards."""
    folder = CGROUPS / request.param / f"holdfast-test-{uuid4().hex[:8]}"
    try:
        folder.mkdir()
    except OSError as error:
        pytest.skip(f"no version 1 {request.param} hierarchy to write in: {error.strerror}")
    try:
        yield folder
    finally:
        folder.rmdir()


@pytest.mark.slow
@pytest.mark.parametrize("real_group", ["pids"], indirect=True)
def test_a_process_in_a_real_pids_group_sees_its_limit(real_group: Path) -> None:
    """The limit holds a real process that joined the group, and it counts itself in it."""
    own = Path("/proc/self/cgroup").read_text().splitlines()
    if not any(line.endswith(":pids:/") for line in own):
        pytest.skip("this process is in a pids group that somebody keeps account of")
    (real_group / "pids.max").write_text("50")
    join = f"open({str(real_group / 'cgroup.procs')!r}, 'w').write('0')"
    read = read_in_child(join)
    assert (read["pids_max"], read["pids_used"][0]) == ((50, f"{real_group}/pids.max"), 1)


@pytest.mark.parametrize("real_group", ["memory"], indirect=True)
def test_a_real_memory_group_is_read(real_group: Path, tmp_path: Path) -> None:
    """The kernel's own files of a limited group give its limit and what is left of it.

    The group stays empty and the membership is planted: nobody's account loses a process.
    """
    (real_group / "memory.limit_in_bytes").write_text(str(64 * MIB))
    tree = machine() | {"/proc/self/mountinfo": Path("/proc/self/mountinfo").read_text()}
    tree["/proc/self/cgroup"] = f"4:memory:/{real_group.name}\n"
    (tmp_path / "sys").symlink_to("/sys")
    host = read_host(plant(tmp_path, tree))
    assert said(host, "cgroup_memory_max") == host.memory_bytes == 64 * MIB
    assert said(host, "cgroup_memory_used") == 0
    assert said(host, "memory_available") == 64 * MIB
    assert why(host, "cgroup_memory_max") == f"{real_group}/memory.limit_in_bytes"


def test_every_mounted_controller_of_this_machine_is_found() -> None:
    """On the real machine a limit is a number or infinity wherever cgroups are mounted."""
    if " - cgroup" not in Path("/proc/self/mountinfo").read_text():
        pytest.skip("no cgroups are mounted here")
    host = read_host()
    limits = [said(host, s) for s in ("cgroup_memory_max", "cpu_quota_cores", "pids_max")]
    assert all(isinstance(limit, int | float) and limit > 0 for limit in limits)
