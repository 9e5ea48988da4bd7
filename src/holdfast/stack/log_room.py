"""Sees whether a run folder has room for what is printed, and tells when that changes.

A stack goes on without: a worker's words are lost (`worker/output.py`), its requests are not.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable

from holdfast.stack.config import StackEvent, StackKind
from holdfast.stack.run_dir import LOGS_EVERY_S


class LogRoom:
    """Looks at the disk of the folder at `path`; `report` hears that it is full, and no more."""

    def __init__(self, path: str, report: Callable[[StackEvent], None]) -> None:
        self._path, self._report = path, report
        self._due_s = 0.0
        self._is_full = False

    def step(self, now_s: float) -> None:
        """Look, where the last time is long enough ago."""
        if now_s < self._due_s:
            return
        self._due_s = now_s + LOGS_EVERY_S
        try:
            is_full = os.statvfs(self._path).f_bavail == 0
        except OSError:
            return
        if is_full != self._is_full:
            self._is_full = is_full
            kind: StackKind = "logs_lost" if is_full else "logs_kept"
            text = f"no space is left for {self._path}: make some" if is_full else ""
            self._report(StackEvent(kind, time.monotonic(), 0, text=text))
