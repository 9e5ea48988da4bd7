"""The limits that hold a running process, as the kernel enforces them. Must not know what was set.

Reads /proc/PID/limits and counts /proc/PID/fd.
"""

from __future__ import annotations

import os
from collections.abc import Callable

from holdfast.model.values import Value, observed
from holdfast.observe.files import Files, number, value_of

_OPEN_FILES, _PROCESSES = "Max open files", "Max processes"
_SOFT, _HARD = 0, 1


def read_limits(pid: int, root: str = "/") -> tuple[Value, ...]:
    """`nofile_soft`, `nofile_hard`, `nproc` (soft) and `descriptors_open` of a process.

    A process that is gone, or another user's, gives values of None. A process that asks about
    itself counts one descriptor more: the one that it counts with.
    """
    files = Files(root)
    text = files.read(f"/proc/{pid}/limits")
    nproc = value_of("nproc", text, _limit(_PROCESSES, _SOFT))
    return *read_nofile(files, str(pid)), nproc, _descriptors_open(files, pid)


def read_nofile(files: Files, process: str) -> tuple[Value, Value]:
    """`nofile_soft` and `nofile_hard` of /proc/`process`, a pid or "self"."""
    text = files.read(f"/proc/{process}/limits")
    soft = value_of("nofile_soft", text, _limit(_OPEN_FILES, _SOFT))
    return soft, value_of("nofile_hard", text, _limit(_OPEN_FILES, _HARD))


def read_memory(pid: int, root: str = "/") -> int:
    """Bytes of memory that are a process's own, with its part of what it shares (PSS).

    0 for a process that is gone, or another user's.
    """
    text = Files(root).read(f"/proc/{pid}/smaps_rollup").text or ""
    line = next((x for x in text.splitlines() if x.startswith("Pss:")), "Pss: 0 kB")
    return int(line.split()[1]) * 1024


def _limit(name: str, column: int) -> Callable[[str], int | float]:
    def parse(text: str) -> int | float:
        line = next((x for x in text.splitlines() if x.startswith(name)), name)
        return number(line.removeprefix(name).split()[column])

    return parse


def _descriptors_open(files: Files, pid: int) -> Value:
    path = f"/proc/{pid}/fd"
    try:
        count = len(os.listdir(os.path.join(files.root, path.lstrip("/"))))
    except OSError as error:
        return observed("descriptors_open", None, f"{path}: not readable: {error.strerror}")
    return observed("descriptors_open", count, path)
