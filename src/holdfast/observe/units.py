"""Which unit of systemd a process belongs to, by its cgroup, and the files that make that unit.

Asks systemd nothing, and must not know what a unit says.
"""

from __future__ import annotations

import glob
import os

from holdfast.observe.files import Files

FOLDERS = (
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
)
"""Where units lie; the first that has one counts (systemd.unit(5))."""
KIND = ".service"


def read_unit_files(pid: int, root: str = "/") -> tuple[str, ...]:
    """The unit's file and its drop-ins, those that systemd reads last at the end; often none."""
    files, name = Files(root), ""
    for line in (files.read(f"/proc/{pid}/cgroup").text or "").splitlines():
        kind, _, path = line.partition(":")[2].partition(":")
        if kind in ("", "name=systemd"):
            name = next((part for part in reversed(path.split("/")) if part.endswith(KIND)), name)
    if not name:
        return ()
    template = f"{name.partition('@')[0]}@{KIND}" if "@" in name else name
    names = dict.fromkeys((template, name))
    units = [f"{folder}/{each}" for each in reversed(names) for folder in FOLDERS]
    found = [path for path in units if os.path.isfile(_below(root, path))][:1]
    drop_ins: dict[str, str] = {}
    for folder in (f"{folder}/{each}.d" for each in names for folder in reversed(FOLDERS)):
        for file in glob.glob("*.conf", root_dir=_below(root, folder)):
            drop_ins[file] = f"{folder}/{file}"
    return (*found, *(drop_ins[each] for each in sorted(drop_ins)))


def _below(root: str, path: str) -> str:
    return os.path.join(root, path.lstrip("/"))
