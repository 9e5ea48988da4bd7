"""Somebody who starts `holdfast up` and listens to it as systemd does. Judges nothing."""

from __future__ import annotations

import select
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from tests.cli.run import environment


class Systemd:
    """Somebody who listens as systemd does; keeps all that was said to it, a list a message."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.heard: list[list[str]] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(f"\0{name[1:]}" if name.startswith("@") else name)
        self._socket.settimeout(30)

    def until(self, line: str) -> list[str]:
        """Listen until a message has that line, and return the message."""
        while True:
            message = self.hear()
            if line in message:
                return message

    def hear(self) -> list[str]:
        """The next message."""
        self.heard.append(self._socket.recv(4_096).decode().split("\n"))
        return self.heard[-1]

    def has_more(self) -> bool:
        """Whether there is something to hear now."""
        return bool(select.select([self._socket], [], [], 0)[0])

    def close(self) -> None:
        self._socket.close()


@contextmanager
def started(
    argv: Sequence[str], systemd: Systemd, cwd: str | None = None, **env: str
) -> Iterator[subprocess.Popen[bytes]]:
    """The words as systemd starts them: they know its socket, and are told to end at the end."""
    process = subprocess.Popen(
        argv,
        cwd=cwd,
        env={**environment(), "NOTIFY_SOCKET": systemd.name, **env},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        process_group=0,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
        process.wait(60)
