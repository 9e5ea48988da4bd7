"""Drives real stacks: an app whose requests end when their clients say so, and those clients."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from holdfast.stack.config import Event, StackConfig
from holdfast.stack.limits import raise_nofile
from holdfast.stack.process import StackProcess
from tests.helpers import wait_until

APPS = Path(__file__).parent / "apps"
BUSY = 2_000
"""Requests in flight where a behaviour concerns load."""


def config(app: str = "held:app", **fields: Any) -> StackConfig:
    """A stack of the app that holds requests, unless told otherwise."""
    return StackConfig(**{"app": app, "app_dir": str(APPS), "slots": 2, "grace_s": 20.0, **fields})


@contextlib.contextmanager
def running(app: str = "held:app", **fields: Any) -> Iterator[StackProcess]:
    """A stack that answers, stopped at the end."""
    raise_nofile(2 * BUSY + 200)
    with StackProcess(config(app, **fields)) as stack:
        stack.start()
        stack.wait_until_ready(60)
        yield stack


class Client:
    """One connection. Its request is in flight from `ask` until `finish`, which lets it end."""

    def __init__(self, to: int | str) -> None:
        """Connect to a port, or to the path of a unix socket."""
        if isinstance(to, str):
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.settimeout(30)
            self.socket.connect(to)
        else:
            self.socket = socket.create_connection(("127.0.0.1", to), timeout=30)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._rest = b""

    def ask(self, path: str = "/", *headers: str) -> None:
        """Send a request but for the last byte of its body."""
        lines = [f"POST {path} HTTP/1.1", "host: x", "content-length: 1", *headers, "", ""]
        self.socket.sendall("\r\n".join(lines).encode())

    def get(self, path: str = "/") -> None:
        """Send a whole request."""
        self.socket.sendall(f"GET {path} HTTP/1.1\r\nhost: x\r\n\r\n".encode())

    def finish(self) -> None:
        """Send the last byte, which the app waits for."""
        self.socket.sendall(b"x")

    def read(self) -> tuple[int, dict[str, str], bytes]:
        """The answer: status, headers, body. Raises ConnectionError when there is none."""
        while b"\r\n\r\n" not in self._rest:
            self._more()
        head, _, self._rest = self._rest.partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in lines)
        length = int(headers["content-length"])
        while len(self._rest) < length:
            self._more()
        body, self._rest = self._rest[:length], self._rest[length:]
        return int(first.split()[1]), headers, body

    def heard(self) -> tuple[int, dict[str, str]]:
        """The answer's status and headers, or 0 where the connection ended without one."""
        try:
            return self.read()[:2]
        except ConnectionError:
            return 0, {}

    def status(self) -> int:
        """The answer's status, or 0 where the connection ended without one."""
        return self.heard()[0]

    def close(self) -> None:
        self.socket.close()

    def _more(self) -> None:
        data = self.socket.recv(65_536)
        if not data:
            raise ConnectionResetError("closed before the whole answer")
        self._rest += data


@contextlib.contextmanager
def crowd(to: int | str, count: int, path: str = "/") -> Iterator[list[Client]]:
    """So many clients, each with one request in flight."""
    with contextlib.ExitStack() as undo:
        clients = []
        for _ in range(count):
            client = Client(to)
            undo.callback(client.close)
            client.ask(path)
            clients.append(client)
        yield clients


@contextlib.contextmanager
def stopping(stack: StackProcess) -> Iterator[list[int]]:
    """Stop the stack beside the block; the list has the exit code afterwards."""
    codes: list[int] = []
    thread = threading.Thread(target=lambda: codes.append(stack.stop()))
    thread.start()
    wait_until(lambda: any(worker.state == "draining" for worker in stack.workers()))
    try:
        yield codes
    finally:
        thread.join()


class Asking:
    """Clients that always ask again: what they `lost`, and how often they were `told` to close."""

    def __init__(self) -> None:
        self.lost: list[ConnectionError] = []
        self.told = 0

    def come(self, port: int) -> None:
        """Ask until told to close, and come again until nobody lets in."""
        while True:
            try:
                client = Client(port)
            except OSError:  # refused; or dropped, for as long as the last requests take
                return
            with contextlib.closing(client.socket):
                closes = False
                while not closes:
                    client.ask()
                    client.finish()
                    try:
                        closes = client.read()[1].get("connection") == "close"
                    except ConnectionError as error:
                        self.lost.append(error)
                        return
                self.told += 1


def stop_beside(stack: StackProcess, come: Callable[[int], None], count: int = 8) -> None:
    """Stop a stack that has answered 500 while so many threads `come` to its port until it ends."""
    threads = [threading.Thread(target=come, args=(stack.port,)) for _ in range(count)]
    for thread in threads:
        thread.start()
    wait_until(lambda: sum(row.finished for row in stack.gauge.read()) > 500)
    assert stack.stop() == 0
    for thread in threads:
        thread.join(30)


def readable(clients: Sequence[Client]) -> list[Client]:
    """Those that have an answer, or the end of their connection, to read."""
    poll = select.poll()
    for client in clients:
        poll.register(client.socket, select.POLLIN)
    fds = {fd for fd, _ in poll.poll(0)}
    return [client for client in clients if client.socket.fileno() in fds]


def answered(clients: Sequence[Client]) -> int:
    """Let all of them finish; how many got a 200."""
    for client in clients:
        with contextlib.suppress(ConnectionError):
            client.finish()
    found = 0
    for client in clients:
        status, headers = client.heard()
        found += status == 200
        if headers.get("connection") == "close":
            client.close()  # as told to: gunicorn waits for it, up to 2 s
    return found


def wait_for_in_flight(stack: StackProcess, count: int) -> None:
    """Wait until the gauge shows exactly so many."""
    wait_until(lambda: stack.gauge.in_flight() == count, what=f"in flight {count}")


class Log:
    """Every event of a stack so far."""

    def __init__(self, stack: StackProcess) -> None:
        self._stack = stack
        self.events: list[Event] = []

    def of(self, kind: str) -> list[Event]:
        self.events += self._stack.events()
        return [event for event in self.events if event.kind == kind]

    def wait_for(self, kind: str, count: int = 1) -> list[Event]:
        return wait_until(
            lambda: found if len(found := self.of(kind)) >= count else None, what=kind
        )


def marked(mark: str) -> set[int]:
    """The live processes that were started with `mark` in their environment.

    Looks twice: a process that is just becoming another program has none for an instant.
    """
    return _marked(mark) | _marked(mark)


def _marked(mark: str) -> set[int]:
    found = set()
    for name in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            state = Path(f"/proc/{name}/stat").read_text().rpartition(")")[2].split()[0]
            if state not in "ZX" and mark.encode() in Path(f"/proc/{name}/environ").read_bytes():
                found.add(int(name))
    return found - {os.getpid()}
