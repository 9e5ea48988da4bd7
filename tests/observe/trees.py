"""Small trees of a machine's files, as real kernels write them, for `read_host(root)`.

Each builder returns {path: text}; `plant` writes them below a folder.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from holdfast.model.path import Host
from holdfast.model.values import Scalar

MIB = 2**20
V1_UNLIMITED = "9223372036854771712\n"
IMPORTS = """
import json, os, resource, sys
from holdfast.observe.host import read_host
"""
READ_HERE = """
host = read_host()
json.dump({v.setting: [v.value, v.why] for v in host.values}, sys.stdout)
"""


def machine() -> dict[str, str]:
    """A host of 4 cores and 8 GiB without cgroups."""
    return {
        "/proc/meminfo": "MemTotal:  8388608 kB\nMemFree:  1 kB\nMemAvailable:  6291456 kB\n",
        "/proc/self/status": "Name:\tsh\nCapEff:\t0000000000000000\nCpus_allowed_list:\t0-2,8\n",
        "/proc/self/uid_map": "         0          0 4294967295\n",
        "/proc/self/limits": "Limit   Soft Limit   Hard Limit   Units\n"
        "Max processes             30000                unlimited            processes\n"
        "Max open files            1024                 524288               files\n",
        "/proc/sys/net/core/somaxconn": "4096\n",
        "/proc/sys/net/ipv4/ip_local_port_range": "32768\t60999\n",
        "/proc/sys/net/ipv4/ip_local_reserved_ports": "40000-40100\n",
        "/proc/sys/net/ipv4/tcp_mem": "94743\t126326\t189486\n",
        "/proc/sys/fs/file-max": "9223372036854775807\n",
        "/proc/sys/fs/file-nr": "1856\t0\t9223372036854775807\n",
        "/proc/sys/fs/nr_open": "1048576\n",
        "/proc/cpuinfo": "processor\t: 0\nmodel name\t: A Processor 3000\n\nprocessor\t: 1\n",
    }


def mounted(*mounts: tuple[str, str, str, str]) -> str:
    """The text of /proc/self/mountinfo for (root, point, type, options), with other lines about."""
    lines = ["22 27 0:21 / /proc rw,relatime shared:5 - proc proc rw"]
    lines += [
        f"{31 + n} 30 0:{28 + n} {root} {point} rw,nosuid shared:{9 + n} - {kind} {kind} {options}"
        for n, (root, point, kind, options) in enumerate(mounts)
    ]
    return "\n".join([*lines, ""])


def version_2(group: str = "/system.slice/app.service", root: str = "/") -> dict[str, str]:
    """The membership and the mount of a host with version 2 alone."""
    mount = (root, "/sys/fs/cgroup", "cgroup2", "rw,nsdelegate")
    return {"/proc/self/cgroup": f"0::{group}\n", "/proc/self/mountinfo": mounted(mount)}


def version_1(group: str = "/docker/abc", root: str = "/") -> dict[str, str]:
    """The membership and the mounts of a host with version 1, and an empty version 2 beside it."""
    entries = (("memory", "memory"), ("cpu,cpuacct", "cpu,cpuacct"), ("pids", "pids"))
    v1 = [(root, f"/sys/fs/cgroup/{folder}", "cgroup", f"rw,{names}") for names, folder in entries]
    return {
        "/proc/self/cgroup": f"9:memory:{group}\n5:cpu,cpuacct:{group}\n3:pids:{group}\n"
        "1:name=systemd:/init.scope\n0::/init.scope\n",
        "/proc/self/mountinfo": mounted(*v1, ("/", "/sys/fs/cgroup/unified", "cgroup2", "rw")),
    }


def below(folder: str, **files: str | int) -> dict[str, str]:
    """Files of a cgroup's folder; `memory_max` is memory.max."""
    return {f"{folder}/{name.replace('_', '.', 1)}": f"{text}\n" for name, text in files.items()}


def plant(root: Path, *trees: dict[str, str]) -> str:
    """Write trees below `root`, later ones over earlier ones; returns the root for `read_host`."""
    for tree in trees:
        for path, text in tree.items():
            file = root / path.lstrip("/")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
    return str(root)


def said(host: Host, setting: str) -> Scalar | None:
    """The value of a setting that must have been read for."""
    value = host.get(setting)
    assert value is not None, setting
    return value.value


def why(host: Host, setting: str) -> str:
    """Where a setting's value came from."""
    value = host.get(setting)
    assert value is not None, setting
    return value.why


def read_in_child(prelude: str) -> dict[str, tuple[Scalar | None, str]]:
    """What a new process reads of this host, {setting: (value, why)}, after it ran `prelude`."""
    child = subprocess.run(
        [sys.executable, "-c", IMPORTS + prelude + READ_HERE],
        env={"PYTHONPATH": os.pathsep.join(sys.path), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert child.returncode == 0, child.stderr
    return {name: (value, reason) for name, (value, reason) in json.loads(child.stdout).items()}
