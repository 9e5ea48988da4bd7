"""The folder of one running stack: gauge, probe sockets, a log per slot; its owner's alone."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from typing import Final

from holdfast.model.errors import BadInput, HoldfastError

TAIL_LINES: Final = 20
LOG_BYTES: Final = 16 * 2**20
"""A log that is longer is kept as `.1`, over the one before, and begins anew."""
LOGS_EVERY_S: Final = 2.0
"""How often the length of logs is to be looked at: what is printed in between is not cut."""
CONTROL: Final = "control.sock"
"""Name of the socket that takes orders, in a run folder."""
_TAIL_BYTES: Final = 16_384
_SOCKETS: Final = ("p-", "w-", "slot-")
_LONGEST: Final = 64
"""A unix socket's path has 107 bytes; a fresh folder's name takes 18, and a socket's up to 25."""


class RunDir:
    """A fresh private folder, or a given one that no other stack uses at the same time."""

    def __init__(self, given: str) -> None:
        self.is_private = not given
        base = os.path.abspath(given or tempfile.gettempdir())
        if len(os.fsencode(base)) > _LONGEST:
            fault = f"the run folder's path is longer than {_LONGEST} bytes"
            hint = (
                "unix sockets in it need a shorter one" if given else "set TMPDIR to a shorter one"
            )
            raise BadInput(fault, place=base, hint=hint)
        try:
            if given:
                self.path = base
                os.makedirs(self.path, mode=0o700, exist_ok=True)
            else:
                self.path = tempfile.mkdtemp(prefix="holdfast-")
            self._lock = open(os.path.join(self.path, "lock"), "a")  # noqa: SIM115
        except OSError as error:
            hint = "name another folder" if given else "set TMPDIR to a folder that can be written"
            place = error.filename or given or tempfile.gettempdir()
            fault = f"cannot make the run folder: {error.strerror}"
            raise HoldfastError(fault, place=place, hint=hint) from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            fault = "another stack uses this run folder"
            raise BadInput(fault, place=self.path, hint="name another one, or none") from None
        self._remove_stale()

    @property
    def gauge(self) -> str:
        """Path of the gauge file."""
        return os.path.join(self.path, "gauge")

    @property
    def control(self) -> str:
        """Path of the socket that takes orders."""
        return os.path.join(self.path, CONTROL)

    def probe(self, slot: int, generation: int) -> str:
        """Path of a worker's private socket."""
        return os.path.join(self.path, f"p-{slot}.{generation}.sock")

    def edge(self) -> str:
        """Path of the edge's own folder: its configuration, and what it writes."""
        return os.path.join(self.path, "edge")

    def edge_log(self) -> str:
        """Path of what the edge's processes print."""
        return os.path.join(self.path, "edge.log")

    def log(self, slot: int) -> str:
        """Path of what the workers of a slot print."""
        return os.path.join(self.path, f"slot-{slot}.log")

    def close(self) -> None:
        """Let another stack use it."""
        self._lock.close()

    def _remove_stale(self) -> None:
        for name in os.listdir(self.path):
            if name == "gauge" or (name.startswith(_SOCKETS) and name.endswith(".sock")):
                os.unlink(os.path.join(self.path, name))


def bound(log: str) -> bool:
    """Whether the log was too long, and was set aside; what is written meanwhile may be lost.

    Its writers append and go on with the same file, since nobody can take it from them.
    """
    try:
        if os.stat(log).st_size <= LOG_BYTES:
            return False
        with contextlib.suppress(
            OSError
        ):  # no room for a second one: the first is cut all the same
            shutil.copyfile(log, f"{log}.1")
        os.truncate(log, 0)
    except OSError:
        return False
    return True


def tail(path: str, start: int) -> str:
    """The last lines that were written to a log from the offset `start` on.

    A log that is shorter was set aside since, and is read from its beginning.
    """
    try:
        with open(path, "rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(start if start <= size else 0, size - _TAIL_BYTES))
            text = file.read().decode(errors="replace")
    except OSError:
        return ""
    return "\n".join(text.rstrip().splitlines()[-TAIL_LINES:])
