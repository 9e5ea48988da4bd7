"""A slot's unix sockets: one a worker generation, and the path that an edge knows the slot by.

Nobody binds the slot path: it is a symlink, renamed to the newest socket whose worker is ready. We
hold each socket open, so that what waits in its queue outlives a worker that crashes.
"""

from __future__ import annotations

import contextlib
import os
import socket
from typing import Final

import msgspec

from holdfast.stack.listen import granted
from holdfast.stack.unix_room import unix_room

_MODE: Final = 0o600
_SHARED_MODE: Final = 0o660


def slot_path(slot: int) -> str:
    """Name of the slot path, in the run folder."""
    return f"slot-{slot}.sock"


class _Open(msgspec.Struct, frozen=True):
    """One listening socket and its path."""

    socket: socket.socket
    path: str


class SlotSockets:
    """The sockets of all slots in `folder`; `group` may use them too, where it is not negative.

    Alike to Listening for whoever starts workers: `listener`, `renew`, `show`, `drop`, `restore`,
    `hide`, `forget`, `let_go`; `backlog` is what the kernel grants each.
    """

    arrive_s: Final = 0.0
    """How long connections that are being made arrive at a hidden slot: they are made at once."""

    def __init__(self, folder: str, backlog: int, group: int = -1) -> None:
        self.backlog = granted(backlog)
        self._folder = folder
        self._group = group
        self._newest: dict[int, _Open] = {}
        self._former: dict[int, list[_Open]] = {}
        self._shown: dict[int, str] = {}

    def listener(self, slot: int, generation: int) -> socket.socket:
        """What the slot's next worker accepts from: its predecessor's socket, where there is one.

        Raises OSError where the socket cannot be made.
        """
        if slot not in self._newest:
            self._newest[slot] = self._opened(slot, generation)
        return self._newest[slot].socket

    def renew(self, slot: int, generation: int) -> None:
        """The next worker gets a socket of its own; the slot path stays where it is."""
        fresh = self._opened(slot, generation)
        self._former.setdefault(slot, []).append(self._newest[slot])
        self._newest[slot] = fresh

    def show(self, slot: int) -> None:
        """The newest socket's worker is ready: the slot path leads there from now on."""
        path = self._newest[slot].path
        if self._shown.get(slot) == path:
            return
        whole = os.path.join(self._folder, slot_path(slot))
        with contextlib.suppress(FileNotFoundError):
            os.unlink(f"{whole}.new")
        os.symlink(os.path.basename(path), f"{whole}.new")
        os.replace(f"{whole}.new", whole)
        self._shown[slot] = path

    def drop(self, slot: int) -> None:
        """No worker accepts from the slot's former sockets: close them, once the path has moved."""
        newest = self._newest.get(slot)
        if newest is not None and self._shown.get(slot) == newest.path:
            for former in self._former.pop(slot, []):
                _end(former)

    def restore(self, slot: int, generation: int) -> None:
        """That generation never was ready: the slot's newest socket is the one before its own."""
        if self._newest[slot].path == self._path(slot, generation):
            _end(self._newest[slot])
            self._newest[slot] = self._former[slot].pop()

    def hide(self, slot: int) -> None:
        """Nobody new comes to the slot: its path is gone."""
        self._shown.pop(slot, None)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(os.path.join(self._folder, slot_path(slot)))

    def forget(self, slot: int) -> None:
        """No worker is left in a hidden slot: close its sockets."""
        newest = self._newest.pop(slot, None)
        for opened in (*self._former.pop(slot, []), *([] if newest is None else [newest])):
            _end(opened)

    def rooms(self) -> tuple[int | None, ...]:
        """The backlog that the kernel grants each slot's newest socket."""
        return tuple(unix_room(self._newest[slot].socket) for slot in sorted(self._newest))

    def let_go(self) -> None:
        """Leave what waits to the workers; paths stay, and nobody new comes, since no edge runs."""
        for opened in self._all():
            opened.socket.close()

    def close(self) -> None:
        """Close every socket and remove its path."""
        for opened in self._all():
            _end(opened)

    def _all(self) -> list[_Open]:
        former = [opened for those in self._former.values() for opened in those]
        return [*self._newest.values(), *former]

    def _path(self, slot: int, generation: int) -> str:
        return os.path.join(self._folder, f"w-{slot}.{generation}.sock")

    def _opened(self, slot: int, generation: int) -> _Open:
        path = self._path(slot, generation)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        with contextlib.ExitStack() as undo:
            undo.callback(listener.close)
            listener.bind(path)
            os.chmod(path, _MODE)
            if self._group >= 0:
                os.chown(path, -1, self._group)
                os.chmod(path, _SHARED_MODE)
            listener.listen(self.backlog)
            undo.pop_all()
        return _Open(listener, path)


def _end(opened: _Open) -> None:
    opened.socket.close()
    with contextlib.suppress(OSError):
        os.unlink(opened.path)
