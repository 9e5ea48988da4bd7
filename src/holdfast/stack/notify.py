"""Tells systemd how the stack is: sd_notify(3), datagrams to the socket of `NOTIFY_SOCKET`.

Hears the same reports as whoever watches. Waits for nobody, and decides nothing of the stack.
"""

from __future__ import annotations

import contextlib
import math
import os
import socket
import time
from collections.abc import Callable, Iterator, MutableMapping
from typing import Final

from holdfast.model.errors import BadInput, HoldfastError
from holdfast.stack.config import Event, Happened, Serving, StackEvent

EXTEND_EVERY_S: Final = 5.0
"""How often systemd is asked for more time, by somebody who is seen to go on."""
EXTEND_S: Final = 30.0
"""How much each time: a supervisor that has hung has no more than this."""
_LONGEST_STATUS: Final = 200


class Notify:
    """Tells the socket at `path`; a first `@` makes it an abstract one, and "" nobody at all.

    Where `watchdog_s` is not 0, systemd ends a supervisor of which it has heard nothing for so
    long. What the socket has no room for is told later, in order; who is gone is told nothing.
    """

    def __init__(self, path: str, watchdog_s: float = 0.0) -> None:
        self._path = f"\0{path[1:]}" if path.startswith("@") else path
        self._has_watchdog = watchdog_s > 0
        self._every_s = min(EXTEND_EVERY_S, watchdog_s / 2 or EXTEND_EVERY_S)
        self._due_s = 0.0
        self._goes_on = True
        """Whether something is under way for which systemd has a time limit."""
        self._answer = 0
        self._serving = ""
        self._unsaid: list[bytes] = []
        kind = socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
        self._socket = socket.socket(socket.AF_UNIX, kind)

    def after(self, report: Callable[[Happened], None]) -> Callable[[Happened], None]:
        """A report that is made to both."""

        def both(happened: Happened) -> None:
            report(happened)
            self.happened(happened)

        return both

    def happened(self, report: Happened) -> None:
        """Tell what concerns systemd of it: ready, reloading, stopping, and a line for people."""
        match report:
            case Event(kind="ready") if not self._serving:
                self._answer += 1
                self._say(_status(f"starting: {self._answer:,} answer"))
            case Serving():
                self._serving = f"serving on {report.scheme}://{report.address}:{report.port}"
                self._is_over("READY=1", self._serving)
            case StackEvent():
                self._asked(report)

    def step(self, now_s: float) -> float:
        """Say that the supervisor lives, and ask for more time where something is under way.

        To be called in each turn of its loop; returns when it wants to be called again.
        """
        if not self._path:
            return math.inf
        self._send()
        if now_s >= self._due_s:
            self._due_s = now_s + self._every_s
            lines = ["WATCHDOG=1"] * self._has_watchdog
            if self._goes_on:
                lines.append(f"EXTEND_TIMEOUT_USEC={EXTEND_S * 1e6:.0f}")
            if lines and not self._unsaid:
                self._say(*lines)
        return self._due_s

    def failed(self, error: HoldfastError) -> None:
        """Why the stack has ended, for `systemctl status`."""
        self._say(_status(error.fault))

    def close(self) -> None:
        """Tell nobody any more."""
        self._socket.close()

    def _asked(self, event: StackEvent) -> None:
        slots = f"{event.slots:,} workers"
        match event.kind:
            case "reloading":
                now_us = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1_000
                self._begins("RELOADING=1", f"MONOTONIC_USEC={now_us}", f"reloading {slots}")
            case "reloaded":
                self._is_over("READY=1", self._serving)
            case "not_reloaded":
                why = f"{self._serving}; not reloaded: {_last_line(event.text)}"
                self._is_over("READY=1", why)
            case "scaling":
                self._say(_status(f"scaling to {slots}"))
            case "scaled" | "not_scaled":
                self._say(_status(f"{self._serving}, {slots}"))
            case "stopping":
                self._begins("STOPPING=1", f"stopping {slots}")
            case "draining":  # it stays, and systemd would end what says that it stops
                self._say(_status(f"draining {slots}"))
            case "drained":
                self._say(_status(f"drained, {event.cut:,} requests cut"))

    def _begins(self, *lines: str) -> None:
        self._goes_on, self._due_s = True, 0.0
        self._say(*lines[:-1], _status(lines[-1]))

    def _is_over(self, line: str, status: str) -> None:
        self._goes_on = False
        self._say(line, _status(status))

    def _say(self, *lines: str) -> None:
        if self._path:
            self._unsaid.append("\n".join(lines).encode())
            self._send()

    def _send(self) -> None:
        try:
            while self._unsaid:
                self._socket.sendto(self._unsaid[0], self._path)
                del self._unsaid[0]
        except BlockingIOError:
            return
        except OSError:
            self._unsaid.clear()


def _status(text: str) -> str:
    """The line for people: `systemctl status` shows it."""
    return f"STATUS={' '.join(text.split())[:_LONGEST_STATUS]}"


def _last_line(output: str) -> str:
    return next(reversed(output.rstrip().splitlines()), "it printed nothing")


@contextlib.contextmanager
def notifying(environ: MutableMapping[str, str]) -> Iterator[Notify]:
    """Whom systemd has named in the environment, told of a failure at the end.

    The variables are taken out: they are meant for this process, and its children must not speak
    for it. Raises BadInput for what is no socket, or no time.
    """
    path = environ.pop("NOTIFY_SOCKET", "")
    told, pid = environ.pop("WATCHDOG_USEC", ""), environ.pop("WATCHDOG_PID", "")
    if path and path[0] not in "/@":
        hint = "systemd sets a path, or a name that begins with `@`; unset it to tell nobody"
        raise BadInput(f"`{path}` names no unix socket", place="NOTIFY_SOCKET", hint=hint)
    if told and not told.isdecimal():
        hint = "systemd sets microseconds; unset it to have no watchdog"
        raise BadInput(f"`{told}` is no time", place="WATCHDOG_USEC", hint=hint)
    is_ours = pid in {"", str(os.getpid())}
    notify = Notify(path, int(told or 0) / 1e6 if is_ours else 0.0)
    try:
        yield notify
    except HoldfastError as error:
        notify.failed(error)
        raise
    finally:
        notify.close()
