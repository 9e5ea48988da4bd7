"""A stack that runs from its files: each command in them a process, and who of them sleeps."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path as File

from holdfast.model.path import Path
from holdfast.proof.kernel import PortWitness, Queue
from tests.audited.commands import SOFT, Start, starts, sysctls
from tests.audited.files import Written
from tests.helpers import wait_until
from tests.law3.running import NOBODY, Counts
from tests.programs.notes import Notes
from tests.stack.namespaces import entered

APPS = File(__file__).parents[1] / "programs"
EDGES = frozenset({"nginx", "haproxy"})
SLEEPS = "STtZ"
"""The states of a thread that does nothing: it sleeps, is stopped, or has ended (proc(5))."""
NAMESPACE = """ip link set lo up && cd /proc/sys &&
while [ "$1" != . ]; do echo "$2" > "$1" || exit 1; shift 2; done && exec cat"""
"""A shell that sets sysctls of its own network, and keeps it while its input is open."""


class FilesRunning:
    """The processes that files start; `path` is the one that was audited, to know who is who."""

    def __init__(self, files: Written, path: Path, own: ExitStack, soft: int = SOFT) -> None:
        self.files, self.path, self._own = files, path, own
        self.listens, self.servers = [files.front], list(files.servers or (files.front,))
        shutil.rmtree(files.run, ignore_errors=True)
        files.run.mkdir()
        self._log = files.run / "log"
        self._log.touch()
        self._notes = Notes(files.run, self._log)
        if os.geteuid() == 0:
            os.chown(files.run, 65534, 65534)
        self._network()
        self._pids: dict[int, Start] = {}
        before = os.umask(0)  # so that an edge of another user may dial
        self._wanted = starts(files.folder, files.run, soft)
        for start in self._wanted:
            if start.program in EDGES:
                self._wait(self._apps_serve, "the app serves")
            self._pids[self._start(start)] = start
        os.umask(before)
        self._wait(self._is_ready, "all listen")

    def _network(self) -> None:
        """Enter a network of its own with the files' sysctls, if they set any."""
        words = [word for pair in sysctls(self.files.folder).items() for word in pair]
        if not words:
            return
        words[::2] = [name.replace(".", "/") for name in words[::2]]
        process = subprocess.Popen(
            ["unshare", "-n", "sh", "-c", NAMESPACE, "sh", *words, "."], stdin=subprocess.PIPE
        )
        assert process.stdin is not None
        self._own.callback(process.wait)
        self._own.callback(process.stdin.close)
        name = File(f"/proc/{process.pid}/comm")
        wait_until(lambda: name.read_text() == "cat\n", what="the network is there")
        self._own.enter_context(entered(f"/proc/{process.pid}/ns/net"))

    def _start(self, start: Start) -> int:
        assert start.nofile is not None
        soft, hard = start.nofile
        argv = ["prlimit", f"--nofile={soft}:{hard}", *start.argv]
        if os.geteuid() == 0 and start.program in EDGES:
            argv = [*NOBODY, *argv]
        path = f"{File(sys.executable).parent}:{os.environ['PATH']}"
        own = {"HELD": str(self.files.run), "PYTHONPATH": str(APPS), "PATH": path}
        with self._log.open("a") as log:
            process = subprocess.Popen(
                argv,
                cwd=self.files.folder,
                env={**os.environ, "HOME": str(self.files.run), **start.env, **own},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
                start_new_session=True,
            )

        def stop() -> None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

        self._own.callback(stop)
        return process.pid

    def _wait(self, condition: object, what: str) -> None:
        try:
            wait_until(condition, what=what)  # type: ignore[arg-type]
        except AssertionError as late:
            raise AssertionError(f"{late}: {self.log()}") from late

    def _apps_serve(self) -> bool:
        """Whether each process that the audit counts has loaded the app, and listens."""
        wanted = sum(h.processes for h in self.path.hops if h.program not in {*EDGES, "kernel"})
        return len(self._loaded()) >= wanted and all(map(self._listens, self._behind()))

    def _behind(self) -> list[str]:
        edged = any(start.program in EDGES for start in self._wanted)
        return self.servers if edged else self.listens

    def _is_ready(self) -> bool:
        wanted = sum(hop.processes for hop in self.path.hops if hop.program in EDGES)
        return (
            self._apps_serve() and len(self._edges()) >= wanted and self._listens(self.files.front)
        )

    def _listens(self, place: str) -> bool:
        if place.startswith("/"):
            return f" {place}\n" in self._unix() and File(place).exists()
        return self._queue(place).sockets > 0

    def _queue(self, place: str) -> Queue:
        """The accept queue of a TCP port, asked in the network that the stack is in."""
        with closing(PortWitness(int(place.rsplit(":", 1)[1]))) as witness:
            return witness.queue()

    def _unix(self) -> str:
        """The unix sockets of the network that the stack, and this thread, is in."""
        return File("/proc/thread-self/net/unix").read_text()

    def _loaded(self) -> list[int]:
        """The processes that have loaded the app, but for those that started such a one."""
        loaded = self._notes.read().loaded
        parents = {pid for pid in loaded if loaded & set(_below(pid))}
        return sorted(loaded - parents)

    def _edges(self) -> list[int]:
        """The edges' processes that serve."""
        found = []
        for pid, start in self._pids.items():
            if start.program == "nginx":
                found += _children(pid)
            elif start.program == "haproxy":
                found.append(pid)
        return found

    def processes(self, hop: str) -> list[int]:
        """The processes of a hop that serve."""
        return self._edges() if self.path.hop(hop).program in EDGES else self._loaded()

    def rests(self) -> bool:
        """Whether every thread slept at one time: each sleeps, twice, and has not run between."""
        first = dict(self._threads())
        if not all(state in SLEEPS for state, _ in first.values()):
            return False
        return first == dict(self._threads())

    def _threads(self) -> Iterator[tuple[str, tuple[str, str]]]:
        for pid in [each for root in self._pids for each in (root, *_below(root))]:
            with suppress(OSError):
                for task in os.listdir(f"/proc/{pid}/task"):
                    folder = f"/proc/{pid}/task/{task}"
                    state = _read(f"{folder}/stat").rpartition(b") ")[2][:1].decode()
                    yield task, (state, _read(f"{folder}/schedstat").decode())

    @property
    def address(self) -> tuple[str, int] | str:
        """Where clients dial."""
        if self.files.front.startswith("/"):
            return self.files.front
        address, port = self.files.front.split(":")
        return address, int(port)

    def ask(self, word: str = "state") -> Counts:
        """Let `one` request go, or `all`; what the app counted."""
        if word == "one":
            self._notes.let_one_go()
        elif word == "all":
            self._notes.let_go()
        self._notes.read()
        return Counts(self._notes.started.total(), self._notes.finished.total(), self._notes.most)

    def in_flight(self) -> int:
        """Requests that the app holds."""
        return self._notes.in_flight()

    def in_queue(self, place: str) -> int:
        """Connections in a listening socket's accept queue; a unix one's with those accepted."""
        if place.startswith("/"):
            return self._unix().count(f" {place}\n") - 1
        return self._queue(place).queued

    def waiting_at_edge(self) -> int | None:
        """Not seen: a request that is nowhere while all sleep is one that waits."""
        return None

    def signal(self, who: str, what: signal.Signals) -> None:
        """Send a signal to the app's processes, or to the edge's that serve."""
        for pid in self._loaded() if who == "app" else self._edges():
            os.kill(pid, what)

    def log(self) -> str:
        """What the programs said, for a failing test."""
        files = (self._log, self.files.run / "error.log")
        return "".join(file.read_text()[-2_000:] for file in files if file.exists())


def _read(path: str) -> bytes:
    fd = os.open(path, os.O_RDONLY)
    try:
        return os.read(fd, 4_096)
    finally:
        os.close(fd)


def _children(pid: int) -> list[int]:
    with suppress(OSError):
        return [int(n) for n in File(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


def _below(pid: int) -> Iterator[int]:
    for child in _children(pid):
        yield child
        yield from _below(child)


@contextmanager
def running(files: Written, path: Path, soft: int = SOFT) -> Iterator[FilesRunning]:
    """Start what the files start, and stop it afterwards."""
    with ExitStack() as own:
        yield FilesRunning(files, path, own, soft)
