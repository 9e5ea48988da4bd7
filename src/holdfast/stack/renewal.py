"""Puts a certificate where an edge finds it, and another in its place when its files change.

Decides when: a change must have lasted for a look. Whoever calls brings the processes.
"""

from __future__ import annotations

import base64
import contextlib
import os
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Final, Protocol

from holdfast.model.errors import BadInput
from holdfast.model.front.tls import Tls
from holdfast.stack.certificates import Pair, now_s, read_pair, seen, self_signed
from holdfast.writers import haproxy_tls, nginx_tls

LOOK_S: Final = 1.0
"""How often the files are looked at; certbot's renewal leaves them a month."""
AGAIN_S: Final = 0.5
"""How soon what could not be handed over is tried again."""
MARGIN_S: Final = 1.0
"""A file of nginx's is left alone so long before and after it is read from: a busy process's clock
is as old as its last turn."""
_KEYS: Final = 3
"""HAProxy wants so many: one to seal with, and others that it still opens."""
_KEY_BYTES: Final = 80


class Told(Protocol):
    """A process of HAProxy as its runtime API is spoken to."""

    pid: int

    def say(self, command: str) -> str:
        """What it says to a command; raises OSError."""
        ...


class Renewal:
    """The pair of a stack: written into the edge's `folder`, which is `owner`'s, and kept fresh.

    `report` is called with the text of what was refused, None once another pair serves. Raises
    BadInput for a pair that cannot serve.
    """

    def __init__(self, tls: Tls, program: str, report: Callable[[str | None], None]) -> None:
        self._tls, self._program, self._report = tls, program, report
        self._seen = self._looked = seen(tls)
        self.pair: Pair = self_signed(tls) if tls.self_signed else read_pair(tls, now_s())
        self._waiting: set[str] = set()
        """nginx's files that still have the pair before."""
        self._told: set[int] | None = None
        """HAProxy's processes that have the new pair; None where none is new."""
        self._was_refused = False
        """Whether a process of HAProxy has not taken the pair."""
        self._look_s = 0.0

    def write(self, folder: str, owner: tuple[int, int] | None) -> None:
        """Write the pair and the tickets' key, for the edge's user alone."""
        self._folder, self._owner = folder, owner
        is_nginx = self._program == "nginx"
        for name in nginx_tls.files(self._tls) if is_nginx else (haproxy_tls.PAIR,):
            self._put(name, self.pair.pem)
        if self._tls.tickets and is_nginx:
            self._put(nginx_tls.TICKET_KEY, os.urandom(_KEY_BYTES))
        elif self._tls.tickets:
            keys = (base64.b64encode(os.urandom(_KEY_BYTES)) for _ in range(_KEYS))
            self._put(haproxy_tls.TICKET_KEYS, b"".join(key + b"\n" for key in keys))

    def step(self, at_s: float, processes: Sequence[Told]) -> float:
        """Look at the files, hand a new pair over; when it wants to be called again."""
        if self._tls.self_signed:
            return float("inf")
        if at_s >= self._look_s:
            self._look_s = at_s + LOOK_S
            self._look()
        if self._waiting:
            self._hand_over()
        if self._told is not None:
            self._tell(processes)
        is_done = not self._waiting and self._told is None
        return self._look_s if is_done else at_s + AGAIN_S

    def _look(self) -> None:
        """Take a change that has lasted since the look before: certbot moves one file at a time."""
        now = seen(self._tls)
        has_lasted, self._looked = now == self._looked, now
        if now == self._seen or not has_lasted:
            return
        self._seen = now
        try:
            self.pair = read_pair(self._tls, now_s())
        except BadInput as bad:
            self._report(f"{bad.fault}\nat {bad.place}\nhint: {bad.hint}")
            return
        if self._program == "nginx":
            self._waiting = set(nginx_tls.TURNS)
        else:
            self._put(haproxy_tls.PAIR, self.pair.pem)  # for whoever is started from now on
            self._told, self._was_refused = set(), False

    def _hand_over(self) -> None:
        """Replace nginx's file that is not being read from."""
        if (idle := idle_turn(time.time())) in self._waiting:
            self._put(idle, self.pair.pem)
            self._waiting.remove(idle)
            if not self._waiting:
                self._report(None)

    def _tell(self, processes: Iterable[Told]) -> None:
        """Tell each process of HAProxy; who does not answer is told again."""
        assert self._told is not None
        where = f"{os.path.basename(self._folder)}/{haproxy_tls.PAIR}"
        for process in processes:
            if process.pid in self._told:
                continue
            with contextlib.suppress(OSError):
                process.say(f"set ssl cert {where} <<\n{self.pair.pem.decode('ascii')}")
                said = process.say(f"commit ssl cert {where}")
                if "Success" not in said:
                    self._was_refused = True
                    self._report(f"HAProxy ({process.pid}) says: {said.strip()}")
                self._told.add(process.pid)
        if self._told.issuperset(process.pid for process in processes):
            self._told = None
            if not self._was_refused:
                self._report(None)

    def _put(self, name: str, data: bytes) -> None:
        """Write a file whole: whoever opens it has the one before, or this."""
        path = os.path.join(self._folder, name)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(f"{path}.new")
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        with open(os.open(f"{path}.new", flags, 0o600), "wb") as file:
            file.write(data)
            if self._owner is not None:
                os.fchown(file.fileno(), *self._owner)
        os.replace(f"{path}.new", path)


def idle_turn(clock_s: float) -> str:
    """nginx's file that is not read from at this time, nor shortly before or after; "" if both."""
    turn, into_s = divmod(clock_s, nginx_tls.TURN_S)
    if not MARGIN_S <= into_s <= nginx_tls.TURN_S - MARGIN_S:
        return ""
    return nginx_tls.TURNS[(int(turn) + 1) % 2]
