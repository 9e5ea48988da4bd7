"""Two network namespaces with a cable between them that a test can pull. Needs root and `ip`."""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import subprocess
from collections.abc import Iterator
from typing import Final

import pytest

_CLONE_NEWNET: Final = 0x40000000
SERVER: Final = "10.213.0.1"
_CLIENTS: Final = "10.213.0.2"
_libc = ctypes.CDLL(None, use_errno=True)

needs_namespaces = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("ip") is None, reason="network namespaces need root and `ip`"
)


class Cable:
    """Namespaces `server` (address SERVER) and `clients`, joined by a pair of virtual links."""

    def __init__(self) -> None:
        self.server, self.clients = (f"hf-{end}-{os.getpid()}" for end in ("s", "c"))

    def plug(self) -> None:
        """Make both, and join them."""
        for name in (self.server, self.clients):
            _ip("netns", "add", name)
        ends = ("link", "add", "cable", "netns", self.server, "type", "veth")
        _ip(*ends, "peer", "name", "cable", "netns", self.clients)
        for name, address in ((self.server, SERVER), (self.clients, _CLIENTS)):
            _ip("-n", name, "address", "add", f"{address}/24", "dev", "cable")
            for link in ("lo", "cable"):
                _ip("-n", name, "link", "set", link, "up")

    def pull(self) -> None:
        """From now on no packet of the clients arrives, and none to them: they have vanished."""
        _ip("-n", self.clients, "link", "set", "cable", "down")

    def remove(self) -> None:
        """Undo `plug`; a namespace goes when the last socket in it has."""
        for name in (self.server, self.clients):
            subprocess.run(["ip", "netns", "delete", name], check=False, capture_output=True)


@contextlib.contextmanager
def cable() -> Iterator[Cable]:
    """A cable for a test."""
    made = Cable()
    try:
        made.plug()
        yield made
    finally:
        made.remove()


@contextlib.contextmanager
def inside(name: str) -> Iterator[None]:
    """This thread's new sockets and processes are of the namespace, and stay so."""
    with entered(f"/run/netns/{name}"):
        yield


@contextlib.contextmanager
def entered(path: str) -> Iterator[None]:
    """The same of the namespace that a file stands for, such as /proc/PID/ns/net."""
    with open("/proc/thread-self/ns/net") as home, open(path) as there:
        _enter(there.fileno())
        try:
            yield
        finally:
            _enter(home.fileno())


def _enter(fd: int) -> None:
    if _libc.setns(fd, _CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True)
