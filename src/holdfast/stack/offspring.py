"""The workers that nginx starts by itself: who of them has died, and who came instead.

Watches only: nginx's master replaces a worker without being told.
"""

from __future__ import annotations

import os
from collections.abc import Callable

from holdfast.stack.edge_process import EdgeProcess
from holdfast.stack.loop import Loop


class Offspring:
    """Follows the `wanted` workers of one `process`; `came` and `died` are called with a pid."""

    def __init__(
        self,
        process: EdgeProcess,
        wanted: int,
        loop: Loop,
        came: Callable[[int], None],
        died: Callable[[int], None],
    ) -> None:
        self._process = process
        self._wanted = wanted
        self._loop = loop
        self._came, self._died = came, died
        self._pidfds: dict[int, int] = {}
        self._dead: set[int] = set()
        """Those that have died and that their own parent has not yet noticed."""

    def look(self) -> bool:
        """Take in those that are new; whether all are there."""
        present = {*self._process.pids()} - {self._process.pid}
        self._dead &= present
        for pid in sorted(present - self._dead - {*self._pidfds}):
            self._take(pid)
        return len(self._pidfds) >= self._wanted

    def close(self) -> None:
        """Follow them no longer."""
        for pid in list(self._pidfds):
            self._leave(pid)

    def _take(self, pid: int) -> None:
        try:
            pidfd = os.pidfd_open(pid)
        except ProcessLookupError:  # it has died meanwhile
            return
        self._pidfds[pid] = pidfd
        self._loop.watch(pidfd, lambda: self._lost(pid))
        self._came(pid)

    def _lost(self, pid: int) -> None:
        self._leave(pid)
        self._dead.add(pid)
        self._died(pid)

    def _leave(self, pid: int) -> None:
        pidfd = self._pidfds.pop(pid)
        self._loop.unwatch(pidfd)
        os.close(pidfd)
