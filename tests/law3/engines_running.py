"""A stack of our own that runs: its gauge counts, its app lets go, its processes sleep or not."""

from __future__ import annotations

import os
import resource
from contextlib import suppress
from pathlib import Path as File

from holdfast.stack.process import StackProcess
from tests.helpers import wait_until
from tests.law3.running import Counts

GATE = "gate"


class EngineRun:
    """Workers of a stack that runs, whose requests wait for files in `folder` (see `held_app`)."""

    def __init__(self, process: StackProcess, folder: File) -> None:
        self._process, self._folder = process, folder
        (folder / GATE).unlink(missing_ok=True)
        before = process.gauge.read()
        self._before = sum(row.started for row in before), sum(row.finished for row in before)
        self._most = 0
        self.listens: list[str] = []
        self.servers: list[str] = []

    @property
    def address(self) -> tuple[str, int]:
        """Where clients dial."""
        return "127.0.0.1", self._process.port

    def ask(self, word: str = "state") -> Counts:
        """The counts of the gauge; `one` lets go the oldest request of the fullest, `all` all."""
        if word == "all":
            (self._folder / GATE).touch()
        rows = self._process.gauge.read()
        if word == "one":
            fullest = max(rows, key=lambda row: row.started - row.finished)
            with (self._folder / f"one.{fullest.pid}").open("a") as file:
                file.write(".")
        started = sum(row.started for row in rows) - self._before[0]
        finished = sum(row.finished for row in rows) - self._before[1]
        self._most = max(self._most, started - finished)
        return Counts(started, finished, self._most)

    def in_flight(self) -> int:
        """Requests in the app."""
        counts = self.ask()
        return counts.started - counts.finished

    def in_queue(self, place: str) -> int:
        """Nobody stands still here, so nobody asks."""
        raise NotImplementedError(place)

    def signal(self, who: str, what: object) -> None:
        """Nobody stands still here."""
        raise NotImplementedError(who)

    def processes(self, hop: str) -> list[int]:
        """The processes of a hop that serve."""
        if hop == "edge":
            return list(self._process.edge_pids())
        return [worker.pid for worker in self._process.workers()]

    def rests(self) -> bool:
        """Whether every thread of edge and workers sleeps."""
        return all(map(_sleeps, (*self.processes("workers"), *self.processes("edge"))))

    def waiting_at_edge(self) -> None:
        """Who is nowhere else waits: in the edge, in a queue, or in a worker."""

    def limit_descriptors(self, most: int) -> None:
        """From now on each worker has so many."""
        for pid in self.processes("workers"):
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (most, most))

    def wait_until_empty(self) -> None:
        """Until no request is in the app, and no work is left to do."""
        wait_until(lambda: self.in_flight() == 0 and self.rests(), what="nothing is in flight")

    def log(self) -> str:
        """What the workers said, for a failing test."""
        files = File(self._process.serving.run_dir).glob("*.log")
        return "".join(file.read_text()[-300:] for file in files)


def _sleeps(pid: int) -> bool:
    """Whether each thread of a process sleeps (proc(5)); one that has just ended does."""
    for task in os.listdir(f"/proc/{pid}/task"):
        with suppress(FileNotFoundError, ProcessLookupError):
            stat = File(f"/proc/{pid}/task/{task}/stat").read_text()
            if stat.rsplit(") ", 1)[1][0] != "S":
                return False
    return True
