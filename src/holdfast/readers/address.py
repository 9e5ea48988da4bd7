"""Where a program listens and what it dials, as one record, whoever wrote it. Resolves no name."""

from __future__ import annotations

import re

import msgspec

ANY = frozenset({"*", "0.0.0.0", "::"})
"""Listens on every address of its host."""
LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})
"""Names of the host itself; so is all of 127.0.0.0/8."""
INSTANCE = re.compile(r"%[iIjJ]")
"""What an instance's name takes the place of, in a systemd unit that several are started from."""
_PORT = re.compile(r"(?:(?P<host>\[[^\]]*\]|[^:]*):)?(?P<port>\d+)")


class Address(msgspec.Struct, frozen=True, order=True):
    """A unix socket's `path`, or a `host` and `port`; without either, what was written is `text`.

    A port of None is one that nobody stated.
    """

    host: str = ""
    port: int | None = None
    path: str = ""
    text: str = ""

    def __str__(self) -> str:
        """As it is written in messages: unix:/run/app.sock, 127.0.0.1:8000, [::1]:80, *:80."""
        if self.path:
            return f"unix:{self.path}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return self.text or (host if self.port is None else f"{host}:{self.port}")

    @property
    def is_any(self) -> bool:
        """Whether it stands for every address of its host."""
        return self.host in ANY

    @property
    def is_local(self) -> bool:
        """Whether only its own host reaches it."""
        return bool(self.path) or self.host in LOCAL or self.host.startswith("127.")


def unix(path: str) -> Address:
    """The address of a unix socket; `unix:///run/a` means what `unix:/run/a` does."""
    return Address(path="/" + path.lstrip("/") if path.startswith("/") else path)


def address(text: str, port: int | None = None, host: str = "*") -> Address:
    """The address that `text` writes: "8000", ":8000", "app:8000", "[::1]:80", "unix:/run/a".

    What is left out is `port` or `host`. What is neither (a variable) is kept as `text`.
    """
    for prefix in ("unix:", "unix@"):
        if text.startswith(prefix):
            return unix(text.removeprefix(prefix))
    if text.startswith("/"):
        return unix(text)
    if not text or "$" in text or INSTANCE.search(text):
        return Address(text=text)
    found = _PORT.fullmatch(text)
    if found is None:
        bare = text[1:-1] if text.startswith("[") and text.endswith("]") else text.rstrip(":")
        return Address(host=bare, port=port)
    name = found["host"] or host
    return Address(host=name.strip("[]"), port=int(found["port"]))


def reaches(dialled: Address, listening: Address) -> bool:
    """Whether dialling one finds the other, on one host: equal, or local to what is any or local.

    A unix path is itself and nothing else. A port that nobody stated finds nothing.
    """
    if dialled.path or listening.path:
        return dialled.path == listening.path
    if dialled.port is None or dialled.port != listening.port:
        return False
    if dialled.host == listening.host:
        return True
    here = dialled.is_local or dialled.is_any
    return here and (listening.is_any or listening.is_local)


def of_instance(dialled: Address, listening: Address) -> bool:
    """Whether some instance of a unit that listens on `800%i` or `/run/app-%i.sock` is dialled."""
    if listening.path:
        return _like(listening.path, dialled.path)
    host, _, port = listening.text.rpartition(":")
    if dialled.port is None or not INSTANCE.search(listening.text):
        return False
    here = not host or host in ANY | LOCAL or bool(_like(host, dialled.host))
    return here and _like(port, str(dialled.port))


def _like(pattern: str, text: str) -> bool:
    """Whether a text is one of those that an instance's name makes of the pattern."""
    parts = INSTANCE.split(pattern)
    return len(parts) > 1 and bool(re.fullmatch(".+".join(map(re.escape, parts)), text))
