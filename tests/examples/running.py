"""Starts the examples as real programs on free ports, and talks plain HTTP to them.

Knows how they are started and asked, and nothing of what they should answer.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import resource
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from tests.helpers import free_port, wait_until

EXAMPLES = Path(__file__).parents[2] / "examples"
CEILING_S = 30.0


class Reply(NamedTuple):
    """One HTTP answer; `body` is parsed where it is JSON."""

    status: int
    headers: dict[str, str]
    body: Any


class Program(NamedTuple):
    """A started example: its process, where it listens, and its standard error so far."""

    process: subprocess.Popen[bytes]
    ports: list[int]
    stderr: Path

    def children(self) -> list[int]:
        """Pids of the direct children."""
        pid = self.process.pid
        return [int(x) for x in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def raise_nofile() -> None:
    """Let this process, and those that it starts, open as many files as the hard limit allows."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def load(path: str) -> ModuleType:
    """Import an example by its path below `examples/`."""
    spec = importlib.util.spec_from_file_location(f"example_{Path(path).stem}", EXAMPLES / path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def state(pid: int) -> str:
    """The kernel's letter for what a process does; "Z" (ended) also where there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return "Z"


def is_gone(pid: int) -> bool:
    """Whether no such process runs (one that waits to be reaped does not run)."""
    return state(pid) == "Z"


def dial(port: int) -> socket.socket:
    """A connection to 127.0.0.1."""
    return socket.create_connection(("127.0.0.1", port), timeout=CEILING_S)


def ask(client: socket.socket, path: str) -> None:
    """Send a GET request."""
    client.sendall(f"GET {path} HTTP/1.1\r\nhost: example\r\n\r\n".encode())


def hear(client: socket.socket) -> Reply:
    """Read one whole answer that says its length."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += receive(client)
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
    while len(body) < int(headers["content-length"]):
        body += receive(client)
    assert len(body) == int(headers["content-length"])
    is_json = headers["content-type"] == "application/json"
    return Reply(int(first.split()[1]), headers, json.loads(body) if is_json else body)


def receive(client: socket.socket) -> bytes:
    """Some bytes; the other end must not have closed."""
    data = client.recv(65536)
    assert data, "closed in the middle of an answer"
    return data


def get(port: int, path: str) -> Reply:
    """One request on a connection of its own."""
    with dial(port) as client:
        ask(client, path)
        return hear(client)


def counts(upstream: Program) -> dict[str, int]:
    """What the upstream's processes counted, added up."""
    each = [get(port, "/count").body for port in upstream.ports]
    return {key: sum(one[key] for one in each) for key in each[0]}


@contextlib.contextmanager
def running(
    command: list[str], ports: list[int], folder: Path, environment: dict[str, str] | None = None
) -> Iterator[Program]:
    """Run a program in a folder of its own for its output; it has ended when this has."""
    stderr = folder / f"{ports[0]}-{len(list(folder.iterdir()))}.stderr"
    with stderr.open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, *command],
            stdout=subprocess.PIPE,
            stderr=log,
            env=os.environ | (environment or {}),
        )
    try:
        yield Program(process, ports, stderr)
    finally:
        process.send_signal(signal.SIGCONT)
        process.terminate()
        try:
            process.wait(CEILING_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        assert process.stdout is not None
        process.stdout.close()


@contextlib.contextmanager
def running_upstream(
    folder: Path, *options: str, ports: list[int] | None = None, processes: int = 1
) -> Iterator[Program]:
    """The shop's upstream, ready."""
    ports = ports or [free_port() for _ in range(processes)]
    command = [str(EXAMPLES / "shop/upstream.py"), "--ports", ",".join(map(str, ports)), *options]
    with running(command, ports, folder) as program:
        assert program.process.stdout is not None
        readable, _, _ = select.select([program.process.stdout], [], [], CEILING_S)
        assert readable, "the upstream is not ready"
        assert program.process.stdout.readline() == b"ready\n"
        yield program


@contextlib.contextmanager
def running_app(
    app: str, folder: Path, environment: dict[str, str] | None = None
) -> Iterator[Program]:
    """An example app (`shop:app`) in uvicorn, answering."""
    port = free_port()
    command = ["-m", "uvicorn", app, "--app-dir", str(EXAMPLES / app.partition(":")[0])]
    options = ["--port", str(port), "--lifespan", "on", "--log-level", "warning"]
    with running([*command, *options], [port], folder, environment) as program:
        wait_until(lambda: answers_health(program), what=f"{app} answers")
        yield program


def answers_health(program: Program) -> bool:
    """Whether the app answers; it must not have ended."""
    assert program.process.poll() is None, program.stderr.read_text()
    with contextlib.suppress(OSError):
        return get(program.ports[0], "/health").status == 200
    return False


def running_shop(
    folder: Path, upstream_ports: list[int], **environment: str
) -> contextlib.AbstractContextManager[Program]:
    """The shop, asking the upstream at these ports."""
    addresses = ",".join(f"http://127.0.0.1:{port}" for port in upstream_ports)
    return running_app("shop:app", folder, {"SHOP_UPSTREAM": addresses, **environment})
