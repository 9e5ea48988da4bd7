"""What `held_app` notes: which processes have it, and who of their requests is in flight."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

NOTE = re.compile(rb"@([!+-])(\d+)@")


class Notes:
    """The notes of every process whose standard error is `log`; `folder` is their HELD."""

    def __init__(self, folder: Path, log: Path) -> None:
        self.folder, self.log = folder, log
        self.loaded: set[int] = set()
        self.started: Counter[int] = Counter()
        self.finished: Counter[int] = Counter()
        self.most = 0
        self._at = 0

    def read(self) -> Notes:
        """Take what was noted since."""
        with self.log.open("rb") as file:
            file.seek(self._at)
            new = file.read()
        whole = new[: new.rfind(b"\n") + 1]
        self._at += len(whole)
        for sign, pid in NOTE.findall(whole):
            {b"!": self._load, b"+": self._start, b"-": self._finish}[sign](int(pid))
        return self

    def _load(self, pid: int) -> None:
        self.loaded.add(pid)

    def _start(self, pid: int) -> None:
        self.started[pid] += 1
        self.most = max(self.most, self._in_flight())

    def _finish(self, pid: int) -> None:
        self.finished[pid] += 1

    def _in_flight(self) -> int:
        return self.started.total() - self.finished.total()

    def in_flight(self) -> int:
        """Requests that the processes hold now."""
        return self.read()._in_flight()

    def let_go(self) -> None:
        """Open the gate: every request is answered."""
        (self.folder / "gate").touch()

    def let_one_go(self) -> None:
        """Let the oldest request go of the process that holds the most."""
        held = self.read().started - self.finished
        pid = max(held, key=lambda pid: held[pid])
        with (self.folder / f"one.{pid}").open("a") as file:
            file.write(".")
