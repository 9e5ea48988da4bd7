"""A crowd of clients of HTTP/1.1: each asks once and waits for its answer, or stays idle after it.

One thread, no library's pool or retry in between: what happened to each request is seen.
"""

from __future__ import annotations

import selectors
import socket
from collections import Counter
from typing import Self

CLOSED = "closed"


class Client:
    """One connection: the request it sends, and what became of it (None while it waits)."""

    requests = 1

    def __init__(self, crowd: Crowd, path: str, *, stays: bool) -> None:
        self._crowd, self._path, self._stays = crowd, path, stays
        self.connected, self.fate, self._held = False, "", b""
        family = socket.AF_UNIX if isinstance(crowd.address, str) else socket.AF_INET
        self.socket = socket.socket(family)
        self.socket.setblocking(False)
        self.socket.connect_ex(crowd.address)
        crowd.watch(self, selectors.EVENT_WRITE)

    def ready(self) -> None:
        """Go on: send once connected, then read."""
        try:
            if not self.connected:
                self._connected()
            else:
                self._read(self.socket.recv(65_536))
        except OSError:
            self._end(CLOSED)

    def _connected(self) -> None:
        error = self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if error:
            raise OSError(error, "connect")
        self.connected = True
        self._crowd.watch(self, selectors.EVENT_READ)
        self.greet()

    def greet(self) -> None:
        """Send what a client of this protocol sends first."""
        self.socket.send(f"GET {self._path} HTTP/1.1\r\nHost: here\r\n\r\n".encode())

    def _read(self, data: bytes) -> None:
        if not data:
            self._end(CLOSED)
            return
        self.take(data)

    def take(self, data: bytes) -> None:
        """Take a piece of the answer."""
        self._held += data
        if b"\r\n\r\n" in self._held and not self.fate:
            self.settle(self._held.split(b" ", 2)[1].decode())
            if not self._stays:
                self.close()

    def settle(self, fate: str, requests: int = 1) -> None:
        """Note what became of some of the requests: a status, or that the connection closed."""
        self.fate = fate
        self._crowd.fates[fate] += requests

    def waiting(self) -> int:
        """How many of the requests have no answer yet."""
        return int(not self.fate)

    def _end(self, fate: str) -> None:
        left = self.waiting()
        if left:
            self.settle(fate, left)
        else:
            self._crowd.left += 1
        self.close()

    def close(self) -> None:
        """Let the connection go."""
        self._crowd.forget(self)
        self.socket.close()


class Crowd:
    """Clients of one address (a path: unix); `fates` counts answers by status, and closed ones."""

    def __init__(self, address: tuple[str, int] | str) -> None:
        self.address = address
        self.fates: Counter[str] = Counter()
        self.left = 0
        self._selector = selectors.DefaultSelector()
        self._clients: dict[int, Client] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        for client in list(self._clients.values()):
            client.close()
        self._selector.close()

    def ask(self, count: int, path: str = "/", *, stays: bool = False) -> None:
        """Open so many clients, one right after the other."""
        for _ in range(count):
            Client(self, path, stays=stays)
            self.step()

    def step(self) -> int:
        """Take what has come, and return of how many clients; never waits."""
        events = self._selector.select(0)
        for key, _ in events:
            if key.fd in self._clients:
                self._clients[key.fd].ready()
        return len(events)

    @property
    def failed(self) -> int:
        """Requests that got something else than 200."""
        return self.fates.total() - self.fates["200"]

    @property
    def unconnected(self) -> int:
        """Clients whose connection the kernel has not made yet."""
        return sum(not client.connected for client in self._clients.values())

    @property
    def waiting(self) -> int:
        """Requests without an answer."""
        return sum(client.waiting() for client in self._clients.values())

    def watch(self, client: Client, events: int) -> None:
        """Wake the client for events."""
        fd = client.socket.fileno()
        if fd in self._clients:
            self._selector.modify(fd, events)
        else:
            self._clients[fd] = client
            self._selector.register(fd, events)

    def forget(self, client: Client) -> None:
        """Wake it no more."""
        fd = client.socket.fileno()
        if self._clients.pop(fd, None) is not None:
            self._selector.unregister(fd)
