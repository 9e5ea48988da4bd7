"""What this process's cgroups allow: memory, processor, processes; version 1, version 2 and both.

A group is held by its ancestors too, so the smallest limit up to the highest visible one counts.
Must not know the rest of the machine.
"""

from __future__ import annotations

import math
import os
import re

import msgspec

from holdfast.model.values import Value, observed
from holdfast.observe.files import Files, Text, number, value_of, word

V1, V2 = 1, 2
_MOUNT = re.compile(r"\S+ \S+ \S+ (\S+) (\S+) .*- (cgroup2?) \S+ (\S+)")
"""A line of mountinfo: root, mount point, type, options (in version 1 they name controllers)."""

MEMORY_LIMITS = {V1: ("memory.limit_in_bytes",), V2: ("memory.max", "memory.high")}
"""Past `memory.high` nothing is killed, but every allocation stalls: as much a limit for a plan."""
MEMORY_USED = {V1: "memory.usage_in_bytes", V2: "memory.current"}
RECLAIMABLE = {
    V1: ("total_inactive_file", "total_active_file"),
    V2: ("inactive_file", "active_file", "slab_reclaimable"),
}
"""Lines of memory.stat for what the kernel takes back before it kills (page cache, dentries)."""


class Group(msgspec.Struct, frozen=True):
    """A process's group of one controller: its own folder first, then each visible ancestor's."""

    version: int
    folders: tuple[str, ...]


class Level(msgspec.Struct, frozen=True):
    """A limit that one folder sets, and the file that says so."""

    limit: float
    folder: str
    file: str


class Mount(msgspec.Struct, frozen=True):
    """Where a hierarchy is mounted, and which group of it is the top of what can be seen."""

    version: int
    controllers: frozenset[str]
    root: str
    point: str


def find_group(files: Files, controller: str, process: str = "self") -> Group | None:
    """The group that holds a process for a controller; None where no mount shows it."""
    entry = _entry(files.read(f"/proc/{process}/cgroup").text or "", controller)
    if entry is None:
        return None
    version, path = entry
    seen = [
        (mount, parts)
        for mount in _mounts(files.read("/proc/self/mountinfo").text or "")
        if mount.version == version
        and (version == V2 or controller in mount.controllers)
        and (parts := _below(mount.root, path)) is not None
    ]
    if not seen:
        return None
    mount, parts = min(seen, key=lambda pair: len(pair[0].root))
    folders = [os.path.join(mount.point, *parts[:count]) for count in range(len(parts), -1, -1)]
    return Group(version, tuple(folders))


def _entry(text: str, controller: str) -> tuple[int, str] | None:
    """(version, path) of the line of /proc/self/cgroup of the controller, else version 2's."""
    unified = None
    for line in text.splitlines():
        hierarchy, _, rest = line.partition(":")
        names, _, path = rest.partition(":")
        if controller in names.split(","):
            return V1, path
        if hierarchy == "0" and not names:
            unified = V2, path
    return unified


def _mounts(text: str) -> list[Mount]:
    found = []
    for line in text.splitlines():
        match = _MOUNT.fullmatch(line)
        if match is None:
            continue
        root, point, kind, options = (
            re.sub(r"\\([0-7]{3})", _octal, part) for part in match.groups()
        )
        version = V2 if kind == "cgroup2" else V1
        found.append(Mount(version, frozenset(options.split(",")), root, point))
    return found


def _octal(match: re.Match[str]) -> str:
    return chr(int(match[1], 8))


def _below(root: str, path: str) -> list[str] | None:
    """The folders from a mount's root down to a group; None where the group is not below it."""
    top, parts = _parts(root), _parts(path)
    inside = ".." not in parts and parts[: len(top)] == top
    return parts[len(top) :] if inside else None


def _parts(path: str) -> list[str]:
    return [part for part in path.split("/") if part]


def _levels(files: Files, group: Group, names: tuple[str, ...]) -> tuple[list[Level], str]:
    """Every limit on the way up that can be read, and the fault of one that is there but cannot."""
    levels, fault = [], ""
    for folder in group.folders:
        for name in names:
            text = files.read(os.path.join(folder, name))
            value = value_of(name, text, word(0))
            if value.value is not None:
                levels.append(Level(value.number, folder, text.path))
            elif not text.missing:
                fault = value.why
    return levels, fault


def _smallest(
    setting: str, group: Group, levels: list[Level], fault: str, names: tuple[str, ...]
) -> tuple[Value, str]:
    """The smallest limit, and the folder that sets it (the group's own where none does)."""
    if levels:
        least = min(levels, key=lambda level: level.limit)
        limit = least.limit if math.isinf(least.limit) else int(least.limit)
        return observed(setting, limit, least.file), least.folder
    own = group.folders[0]
    if fault:
        return observed(setting, None, fault), own
    why = f"{own}: no {names[0]} from here up, so no limit"
    return observed(setting, math.inf, why), own


def _absent(controller: str, *settings: str) -> tuple[Value, ...]:
    why = f"/proc/self/mountinfo: no {controller} cgroup of this process is mounted"
    return tuple(observed(setting, None, why) for setting in settings)


def read_pids(files: Files, process: str = "self") -> tuple[Value, ...]:
    """`pids_max` (processes and threads; math.inf: no limit), and `pids_used` of the same group."""
    group = find_group(files, "pids", process)
    if group is None:
        return _absent("pids", "pids_max", "pids_used")
    levels, fault = _levels(files, group, ("pids.max",))
    most, folder = _smallest("pids_max", group, levels, fault, ("pids.max",))
    used = files.read(os.path.join(folder, "pids.current"))
    return most, value_of("pids_used", used, word(0))


def read_memory(files: Files, process: str = "self") -> tuple[tuple[Value, ...], Value | None]:
    """`cgroup_memory_max` and `cgroup_memory_used` in bytes, of the group with the smallest limit.

    And, as `memory_available`, the smallest that any limited group has left, None where none is
    limited: its limit less its use, not counting what the kernel can reclaim.
    """
    group = find_group(files, "memory", process)
    if group is None:
        return _absent("memory", "cgroup_memory_max", "cgroup_memory_used"), None
    names = MEMORY_LIMITS[group.version]
    levels, fault = _levels(files, group, names)
    most, folder = _smallest("cgroup_memory_max", group, levels, fault, names)
    used_file = os.path.join(folder, MEMORY_USED[group.version])
    used = value_of("cgroup_memory_used", files.read(used_file), word(0))
    left = [_left(files, group.version, x) for x in levels if math.isfinite(x.limit)]
    return (most, used), min(left, key=lambda value: value.number, default=None)


def _left(files: Files, version: int, level: Level) -> Value:
    used_file = os.path.join(level.folder, MEMORY_USED[version])
    used = value_of("used", files.read(used_file), word(0))
    if used.value is None:
        return observed("memory_available", int(level.limit), f"{level.file}; {used.why}")
    stat = files.read(os.path.join(level.folder, "memory.stat")).text or ""
    lines = re.findall(r"^(\w+) (\d+)$", stat, re.MULTILINE)
    reclaimable = sum(int(count) for name, count in lines if name in RECLAIMABLE[version])
    left = level.limit - max(0.0, used.number - reclaimable)
    why = f"{level.file} less {used_file}, but for file pages that can be reclaimed"
    return observed("memory_available", int(max(0.0, left)), why)


def read_cpu_quota(files: Files) -> Value:
    """`cpu_quota_cores`: processor seconds a second that the group may use; math.inf: no quota."""
    group = find_group(files, "cpu")
    if group is None:
        return _absent("cpu", "cpu_quota_cores")[0]
    name = "cpu.cfs_quota_us" if group.version == V1 else "cpu.max"
    found, fault = [], ""
    for folder in group.folders:
        text = files.read(os.path.join(folder, name))
        if group.version == V1 and text.text is not None:
            period = files.read(os.path.join(folder, "cpu.cfs_period_us"))
            text = Text(text.path, f"{text.text} {period.text or ''}", text.why)
        quota = value_of("cpu_quota_cores", text, _cores)
        if quota.value is not None:
            found.append(quota)
        elif not text.missing:
            fault = quota.why
    if found:
        return min(found, key=lambda value: value.number)
    if fault:
        return observed("cpu_quota_cores", None, fault)
    why = f"{group.folders[0]}: no {name} from here up, so no quota"
    return observed("cpu_quota_cores", math.inf, why)


def _cores(text: str) -> float:
    """Cores from "quota period" in microseconds; "max" and -1 are no quota."""
    quota, period = (number(part) for part in text.split())
    return math.inf if quota < 0 or math.isinf(quota) else quota / period
