"""A stack that runs: an edge in front of the app, from a path, in a folder and ports of its own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path as File
from typing import NamedTuple

from holdfast.model.path import Demand, Path, Protocol
from holdfast.proof.kernel import PortWitness, Queue
from tests.helpers import free_port, wait_until
from tests.law3 import texts

HELD = File(__file__).with_name("held.py")
STATS = "stats.sock"
NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]


class Counts(NamedTuple):
    """What the app counted: requests started, finished, and the most that were in flight."""

    started: int
    finished: int
    most: int


class App:
    """One process of the app and the socket that it is asked by."""

    def __init__(self, folder: File, number: int, options: str, places: list[str]) -> None:
        self.control = folder / f"control{number}"
        self.argv = [sys.executable, str(HELD), str(self.control), options, *places]

    def meet(self) -> None:
        """Wait for the app to serve."""
        self._socket = socket.socket(socket.AF_UNIX)
        wait_until(lambda: self._socket.connect_ex(str(self.control)) == 0, what="the app serves")
        self._lines = self._socket.makefile("rw")

    def ask(self, word: str) -> Counts:
        """Say a word of `held.py`'s and return its counts."""
        self._lines.write(word + "\n")
        self._lines.flush()
        return Counts(*json.loads(self._lines.readline()))

    def close(self) -> None:
        """Hang up."""
        self._lines.close()
        self._socket.close()


class Running:
    """The processes of a stack, what the app counts, and who waits where."""

    def __init__(self, path: Path, demand: Demand, folder: File, own: ExitStack) -> None:
        self.path, self.demand, self.folder, self._own = path, demand, folder, own
        self._witnesses: dict[str, PortWitness] = {}
        self.edge = path.hop("edge")
        self.apart = path.hosts[0].get("port_low") is not None
        listeners = int(v.number) if (v := self.edge.get("listeners")) else 1
        self.listens = [
            str(folder / f"front{n}.sock") if self.apart else f"127.0.0.1:{free_port()}"
            for n in range(listeners)
        ]
        unix = self.edge.links[0].protocol is Protocol.UNIX
        self.servers = [
            str(folder / f"app{n}.sock") if unix else f"127.0.0.1:{free_port()}"
            for n in range(path.hop("app").processes)
        ]
        self.apps = self._start_apps()
        self._start_edge()

    def _start_apps(self) -> list[App]:
        hop = self.path.hop("app")
        told = {v.setting: v.value for v in hop.values if v.setting != "own_descriptors"}
        apart: list[str] = []
        if self.apart:
            low, high = (self.path.hosts[0].get(name) for name in ("port_low", "port_high"))
            assert low is not None
            assert high is not None
            ports = f"{low.number:g} {high.number:g}"
            script = f"ip link set lo up && echo {ports} >/proc/sys/net/ipv4/ip_local_port_range"
            apart = ["unshare", "-n", "sh", "-c", f'{script} && exec "$@"', "sh"]
        apps = [App(self.folder, n, json.dumps(told), [at]) for n, at in enumerate(self.servers)]
        if not told.get("limit_concurrency"):  # without a cap of each, one process serves all
            apps = [App(self.folder, 0, json.dumps(told), self.servers)]
        before = os.umask(0)  # so that an edge of another user may dial
        self.app_pids = [self._start([*apart, *app.argv], signal.SIGKILL) for app in apps]
        os.umask(before)
        for app in apps:
            app.meet()
            self._own.callback(app.close)
        return apps

    def _start_edge(self) -> None:
        write = {"nginx": texts.nginx, "haproxy": texts.haproxy}[self.edge.program]
        file = self.folder / "edge.conf"
        file.write_text(write(self.path, self.demand, self.listens, self.servers))
        argv = ["nginx", "-p", str(self.folder), "-c", str(file), "-e", "error.log"]
        if self.edge.program == "haproxy":
            argv = ["haproxy", "-db", "-C", str(self.folder), "-f", str(file)]
        if nofile := self.edge.get("nofile"):
            argv = ["prlimit", f"--nofile={nofile.number:g}", *argv]
        if os.geteuid() == 0:
            argv = [*NOBODY, *argv]
            os.chown(self.folder, 65534, 65534)
        if self.apart:
            argv = ["nsenter", f"--net=/proc/{self.app_pids[0]}/ns/net", *argv]
        count = self.edge.processes if self.edge.program == "haproxy" else 1
        self.edge_pids = [self._start(argv, signal.SIGTERM) for _ in range(count)]
        wait_until(self._is_ready, what="the edge listens")

    def _start(self, argv: list[str], how: signal.Signals) -> int:
        log = (self.folder / "log").open("a")
        self._own.callback(log.close)
        process = subprocess.Popen(
            argv, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )

        def stop() -> None:
            for pid in (process.pid, *self.workers(process.pid)):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)
            process.send_signal(how)
            process.wait()

        self._own.callback(stop)
        return process.pid

    def workers(self, pid: int) -> list[int]:
        """The processes that a process has started."""
        with suppress(OSError):
            return [int(n) for n in File(f"/proc/{pid}/task/{pid}/children").read_text().split()]
        return []

    def _is_ready(self) -> bool:
        assert "Z" not in map(state, self.edge_pids), self.log()
        if len(self.edge_workers()) < self.edge.processes:
            return False
        if self.edge.get("server_maxconn") and not (self.folder / STATS).exists():
            return False
        if not self.apart:
            return self._queue(self.listens[0]).sockets >= len(self.edge_pids)
        with socket.socket(socket.AF_UNIX) as probe:
            return probe.connect_ex(self.listens[0]) == 0

    def rests(self) -> bool:
        """Whether each process of the edge sleeps: an event that came before has woken it."""
        return all(state(pid) == "S" for pid in self.edge_workers())

    def edge_workers(self) -> list[int]:
        """The edge's processes that serve."""
        if self.edge.program == "haproxy":
            return self.edge_pids
        return [worker for pid in self.edge_pids for worker in self.workers(pid)]

    def processes(self, hop: str) -> list[int]:
        """The processes of a hop that serve."""
        return self.edge_workers() if hop == self.edge.name else self.app_pids

    @property
    def address(self) -> tuple[str, int] | str:
        """Where clients dial: the first listener."""
        if self.apart:
            return self.listens[0]
        address, port = self.listens[0].split(":")
        return address, int(port)

    def ask(self, word: str = "state") -> Counts:
        """Say a word to every process of the app, and add up."""
        return Counts(*map(sum, zip(*(app.ask(word) for app in self.apps), strict=True)))

    def in_flight(self) -> int:
        """Requests that the app holds."""
        counts = self.ask()
        return counts.started - counts.finished

    def in_queue(self, place: str) -> int:
        """Connections in a listening socket's accept queue; a unix one's with those accepted."""
        if place.startswith("/"):
            return File("/proc/net/unix").read_text().count(f" {place}\n") - 1
        return self._queue(place).queued

    def _queue(self, place: str) -> Queue:
        if place not in self._witnesses:
            self._witnesses[place] = PortWitness(int(place.rsplit(":", 1)[1]))
            self._own.callback(self._witnesses[place].close)
        return self._witnesses[place].queue()

    def waiting_at_edge(self) -> int:
        """Requests that wait: in the edge's accept queue, or in HAProxy's queue for a server.

        To ask HAProxy takes descriptors, so it is asked only where servers have a `maxconn`.
        """
        accepting = 0 if self.apart else sum(self.in_queue(place) for place in self.listens)
        return accepting + (self.queued() if self.edge.get("server_maxconn") else 0)

    def queued(self) -> int:
        """Requests in HAProxy's queue for a server."""
        cells = (line.split(",") for line in self.says("show stat").splitlines())
        return sum(int(cell[2]) for cell in cells if cell[1:2] == ["BACKEND"])

    def says(self, command: str) -> str:
        """What HAProxy answers on its command-line socket, which it has with a `server_maxconn`."""
        with socket.socket(socket.AF_UNIX) as asked:
            asked.connect(str(self.folder / STATS))
            asked.sendall(f"{command}\n".encode())
            return b"".join(iter(lambda: asked.recv(65_536), b"")).decode()

    def signal(self, who: str, what: signal.Signals) -> None:
        """Send a signal to the app's processes, or to the edge's that serve."""
        for pid in self.app_pids if who == "app" else self.edge_workers():
            os.kill(pid, what)

    def log(self) -> str:
        """What the programs said, for a failing test."""
        return "".join(file.read_text()[-2_000:] for file in self.folder.glob("*log"))


def state(pid: int) -> str:
    """What a process of one thread does: R runs or would, S sleeps, Z has ended (proc(5))."""
    return File(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1][0]


@contextmanager
def running(path: Path, demand: Demand) -> Iterator[Running]:
    """Start the stack that a path describes, and stop it afterwards."""
    with ExitStack() as own:
        folder = File(tempfile.mkdtemp(prefix="law3-"))
        own.callback(shutil.rmtree, folder)
        folder.chmod(0o755)
        yield Running(path, demand, folder, own)
