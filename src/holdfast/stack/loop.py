"""What wakes a supervisor: descriptors, signals, and orders from whoever started it.

Decides nothing: each has a function to call.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import socket
from collections.abc import Callable, Iterator

import msgspec

from holdfast.stack.orders import Order


class Loop:
    """Sleeps until a watched descriptor can be read, and calls what was given for it."""

    def __init__(self) -> None:
        self._ready: dict[int, Callable[[], object]] = {}
        self._selector = selectors.DefaultSelector()

    def watch(self, fd: int, ready: Callable[[], object]) -> None:
        """Call `ready` whenever the descriptor can be read."""
        self._ready[fd] = ready
        self._selector.register(fd, selectors.EVENT_READ)

    def unwatch(self, fd: int) -> None:
        """Watch it no more; nothing happens where it is not watched."""
        if self._ready.pop(fd, None) is not None:
            self._selector.unregister(fd)

    def wait(self, timeout_s: float | None) -> None:
        """Sleep until something can be read, at most so long, and call what is to be called."""
        for key, _ in self._selector.select(timeout_s):
            if key.fd in self._ready:  # an earlier one of this round may have closed it
                self._ready[key.fd]()

    @contextlib.contextmanager
    def signals(self, handled: dict[signal.Signals, Callable[[], None]]) -> Iterator[None]:
        """Each of these signals wakes the loop, and its function is called for it."""
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        theirs.setblocking(False)
        before = {number: signal.signal(number, lambda *_: None) for number in handled}
        wakeup = signal.set_wakeup_fd(theirs.fileno(), warn_on_full_buffer=False)

        def take() -> None:
            for number in ours.recv(64):
                if number in handled:
                    handled[signal.Signals(number)]()

        self.watch(ours.fileno(), take)
        try:
            yield
        finally:
            signal.set_wakeup_fd(wakeup)
            for number, handler in before.items():
                signal.signal(number, handler)
            ours.close()
            theirs.close()

    def close(self) -> None:
        """Close the selector."""
        self._selector.close()


class Lifeline:
    """The socket to whoever started the supervisor: orders, and at its end the end of all."""

    def __init__(self, channel: socket.socket) -> None:
        self._socket = channel
        self._buffer = b""
        self._decoder: msgspec.json.Decoder[Order] = msgspec.json.Decoder(Order)

    def fileno(self) -> int:
        """Its descriptor."""
        return self._socket.fileno()

    def orders(self) -> list[Order] | None:
        """The orders that have arrived; None when the other end is gone."""
        try:
            data = self._socket.recv(4096)
        except OSError:
            return None
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        return list(map(self._decoder.decode, lines)) if data else None


def has_terminal() -> bool:
    """Whether this process has a controlling terminal, which ends its session when it closes."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return False
    return True
