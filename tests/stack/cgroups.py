"""Cgroups of a test's own, of version 1 or 2; where none can be made, the test is skipped."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest

from tests.helpers import wait_until

ROOT = Path("/sys/fs/cgroup")
Controller = Literal["pids", "memory"]
_LIMITS = {"pids": ("pids.max", "pids.max"), "memory": ("memory.limit_in_bytes", "memory.max")}
"""The limit's file in version 1, and in version 2."""


class Group:
    """A cgroup: who is in it, and its one limit."""

    def __init__(self, folder: Path, limit: str) -> None:
        self.folder, self._limit = folder, limit

    def take(self, pid: int) -> None:
        """Put a process into it, with those that it starts from now on."""
        (self.folder / "cgroup.procs").write_text(str(pid))

    def limit(self, number: int | None) -> None:
        """Allow so much from now on; None: as much as there is."""
        none = "max" if self._limit.endswith("max") else "-1"
        (self.folder / self._limit).write_text(none if number is None else str(number))

    def current(self) -> int:
        """How many processes and threads are in it, where it counts them."""
        return int((self.folder / "pids.current").read_text())


def _made(controller: Controller) -> Group:
    """A new group with a limit for this; raises OSError where there can be none."""
    name = f"holdfast-test-{os.getpid()}-{os.urandom(4).hex()}"
    first, second = _LIMITS[controller]
    if (ROOT / controller).is_dir():
        folder, limit = ROOT / controller / name, first
    else:
        folder, limit = ROOT / name, second
    folder.mkdir()
    group = Group(folder, limit)
    try:
        group.limit(None)
    except OSError:
        folder.rmdir()
        raise
    return group


@contextlib.contextmanager
def cgroup(controller: Controller) -> Iterator[Group]:
    """A group without a limit yet, gone afterwards; whoever is still in it then goes back."""
    try:
        group = _made(controller)
    except OSError as error:
        pytest.skip(f"no {controller} cgroup can be made here: {error.strerror}")
    try:
        yield group
    finally:
        procs = group.folder / "cgroup.procs"
        wait_until(lambda: not procs.read_text().split(), what="nobody in the cgroup")
        group.folder.rmdir()
