"""Network namespaces with cables between them that a test can pull. Needs root and `ip`."""

from __future__ import annotations

import contextlib
import ctypes
import itertools
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from typing import Final

import pytest

_CLONE_NEWNET: Final = 0x40000000
SERVER: Final = "10.213.0.1"
_CLIENTS: Final = "10.213.0.2"
_STAR: Final = "10.214.0"
_MADE: Final = itertools.count()
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


class Star:
    """A namespace `middle`, in which an edge stands, with a cable to each of so many others.

    Whoever is cut off is so without a word: neighbours are written down, so that no question for
    them fails either.
    """

    def __init__(self, count: int) -> None:
        mark = f"{os.getpid()}-{next(_MADE)}"
        self.middle = f"hf-m-{mark}"
        self.hosts = [f"hf-{n}-{mark}" for n in range(count)]
        self.addresses = [f"{_STAR}.{n + 2}" for n in range(count)]

    def plug(self) -> None:
        """Make them all, and join them by a bridge in the middle."""
        for name in (self.middle, *self.hosts):
            _ip("netns", "add", name)
            _ip("-n", name, "link", "set", "lo", "up")
        _ip("-n", self.middle, "link", "add", "bridge", "type", "bridge")
        _ip("-n", self.middle, "address", "add", f"{_STAR}.1/24", "dev", "bridge")
        _ip("-n", self.middle, "link", "set", "bridge", "up")
        for at, (name, address) in enumerate(zip(self.hosts, self.addresses, strict=True)):
            ends = ("link", "add", f"port{at}", "netns", self.middle, "type", "veth")
            _ip(*ends, "peer", "name", "cable", "netns", name)
            _ip("-n", self.middle, "link", "set", f"port{at}", "master", "bridge")
            _ip("-n", name, "address", "add", f"{address}/24", "dev", "cable")
            _ip("-n", name, "link", "set", "cable", "up")
            self.heal(at)
            _know(self.middle, "bridge", address, _link_address(name, "cable"))
            _know(name, "cable", f"{_STAR}.1", _link_address(self.middle, "bridge"))

    def cut(self, host: int) -> None:
        """From now on no packet reaches the host, and none of it anybody."""
        _ip("-n", self.middle, "link", "set", f"port{host}", "down")

    def heal(self, host: int) -> None:
        """Its cable is plugged in again."""
        _ip("-n", self.middle, "link", "set", f"port{host}", "up")

    def remove(self) -> None:
        """Undo `plug`; a namespace goes when the last socket in it has."""
        for name in (self.middle, *self.hosts):
            subprocess.run(["ip", "netns", "delete", name], check=False, capture_output=True)


@contextlib.contextmanager
def star(count: int) -> Iterator[Star]:
    """So many hosts around a middle, for a test."""
    made = Star(count)
    try:
        made.plug()
        yield made
    finally:
        made.remove()


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


def _know(name: str, device: str, address: str, link_address: str) -> None:
    words = ("neigh", "replace", address, "lladdr", link_address, "nud", "permanent")
    _ip("-n", name, *words, "dev", device)


def _link_address(name: str, device: str) -> str:
    """A device's own address; a bridge takes another one with its ports, until it is set."""
    found = json.loads(_ip("-n", name, "-json", "link", "show", "dev", device))[0]["address"]
    _ip("-n", name, "link", "set", device, "address", found)
    return str(found)


def _ip(*words: str) -> str:
    return subprocess.run(["ip", *words], check=True, capture_output=True, text=True).stdout
