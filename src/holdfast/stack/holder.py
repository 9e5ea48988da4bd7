"""Who listens on a port: read from /proc, as far as this user may see. Changes nothing."""

from __future__ import annotations

import os
from collections.abc import Iterator

_LISTEN = "0A"


def holder_of(port: int) -> str | None:
    """`name (process N)` of a program that listens on the TCP port, or None where it is hidden."""
    wanted = {f"socket:[{inode}]" for inode in _listening(port)}
    if not wanted:
        return None
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            folder = f"/proc/{pid}/fd"
            if any(os.readlink(f"{folder}/{fd}") in wanted for fd in os.listdir(folder)):
                return f"`{_name(pid)}` (process {pid})"
        except OSError:
            continue
    return None


def _listening(port: int) -> Iterator[str]:
    """The inodes of sockets that listen on it; the kernel lists listening sockets first."""
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            with open(table, encoding="ascii") as lines:
                next(lines)
                for line in lines:
                    field = line.split()
                    if field[3] != _LISTEN:
                        break
                    if field[1].endswith(f":{port:04X}"):
                        yield field[9]
        except OSError:
            continue


def _name(pid: str) -> str:
    with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as file:
        return file.read().strip()
