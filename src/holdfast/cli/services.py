"""Starts the services that an app calls, for a trial here. Knows no load and no verdict."""

from __future__ import annotations

import os
import selectors
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from holdfast.cli.context import Planned
from holdfast.model.errors import BadInput, HoldfastError
from holdfast.model.units import plural
from holdfast.readers.project import ServiceRow
from holdfast.stack.warden import Brood

FIRST_PORT, LAST_PORT = 10_240, 32_767
"""Listening ports stay below the usual range of outgoing ones, which would take them."""
READY_S = 60.0


class Services:
    """The running services of a plan: their processes, and what the workers must be told."""

    def __init__(self, planned: Planned, brood: Brood) -> None:
        self._planned = planned
        self._brood = brood
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.env: dict[str, str] = {}
        self.ports: dict[str, list[int]] = {}

    def start(self, step: Callable[[str], None]) -> None:
        """Start each service that has a command, and wait until it says that it is ready.

        `step` is told which one is started.
        """
        for name, row in self._planned.project.services.items():
            if row.command:
                step(f"starting {name}: {plural(self._planned.path.hop(name).processes, 'port')}")
                self._start_one(name, row)

    def _start_one(self, name: str, row: ServiceRow) -> None:
        hop = self._planned.path.hop(name)
        ports = self.ports[name] = free_ports(hop.processes)
        words = {
            "python": sys.executable,
            "ports": ",".join(map(str, ports)),
            "mean_s": f"{self._planned.mean_time.number:g}",
        }
        argv = [_filled(word, words, name) for word in row.command]
        folder = Path(self._planned.options.app_dir).resolve()
        process = self._brood.spawn(
            argv, cwd=folder, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL
        )
        self.processes[name] = process
        _wait_for_ready(process, name, argv)
        if row.env:
            self.env[row.env] = ",".join(f"http://127.0.0.1:{port}" for port in ports)

    def groups(self, *, apart: bool) -> dict[str, list[int]]:
        """The services' processes with all their children: together, or `apart` by their names."""
        each = {name: list(family(process.pid)) for name, process in self.processes.items()}
        return each if apart else {"services": [pid for pids in each.values() for pid in pids]}

    def stop(self) -> None:
        """TERM, then KILL what remains after five seconds."""
        for process in self.processes.values():
            if process.poll() is None:
                process.terminate()
        for process in self.processes.values():
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _filled(word: str, words: dict[str, str], name: str) -> str:
    try:
        return word.format(**words)
    except (KeyError, IndexError, ValueError) as unknown:
        raise BadInput(
            f"`{word}` in the command of `{name}` has an unknown placeholder {unknown}",
            hint="known are {python}, {ports} and {mean_s}",
        ) from None


def _wait_for_ready(process: subprocess.Popen[bytes], name: str, argv: list[str]) -> None:
    """Wait for the line `ready` on the service's stdout."""
    assert process.stdout is not None
    deadline, seen = time.monotonic() + READY_S, b""
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while b"ready" not in seen:
            if not selector.select(max(0.0, deadline - time.monotonic())):
                raise HoldfastError(
                    f"the service `{name}` was not ready after {READY_S:g} s",
                    place=" ".join(argv),
                    hint="it must print the line `ready` once it listens",
                )
            piece = os.read(process.stdout.fileno(), 4096)
            seen += piece
            if not piece:
                raise HoldfastError(
                    f"the service `{name}` ended with {process.wait()} before it was ready",
                    place=" ".join(argv),
                    hint="run that command by hand in the app's folder",
                )


def free_ports(count: int) -> list[int]:
    """`count` TCP ports of 127.0.0.1 that nobody listens on, below the outgoing range."""
    found = []
    for port in _candidates():
        with socket.socket() as sock:
            try:
                sock.bind(("127.0.0.1", port))
            except OSError:
                continue
        found.append(port)
        if len(found) == count:
            return found
    raise HoldfastError(
        f"{count} free ports are needed between {FIRST_PORT} and {LAST_PORT}, {len(found)} are",
        hint="stop what listens there, or ask for fewer in flight",
    )


def _candidates() -> Iterator[int]:
    """Every port once, from a start that differs by process, so that two trials rarely meet."""
    span = LAST_PORT - FIRST_PORT + 1
    start = (os.getpid() * 131) % span
    return (FIRST_PORT + (start + step) % span for step in range(span))


def family(pid: int) -> Iterator[int]:
    """A process and its descendants, as /proc tells them now."""
    yield pid
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return
    for child in children:
        yield from family(int(child))
