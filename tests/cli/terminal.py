"""A terminal for the real command: its size, its keys, and the screen as a person would see it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import selectors
import struct
import subprocess
import termios
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pyte

CTRL_C = b"\x03"
LINES = 200
"""So many lines are kept that nothing scrolls away: the screen is all that was ever shown."""


class Terminal:
    """A command in a terminal of its own, which it controls; `raw` is all that it wrote."""

    def __init__(self, argv: Sequence[str], env: Mapping[str, str], columns: int, **popen: Any):
        self.raw = b""
        self._screen = pyte.Screen(columns, LINES)
        self._stream = pyte.ByteStream(self._screen)
        self._ours, theirs = pty.openpty()
        self._set_size(theirs, columns)
        self.process = subprocess.Popen(
            argv,
            env=env,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509 - one call
            **popen,
        )
        os.close(theirs)

    @property
    def lines(self) -> list[str]:
        """The screen, without blanks at the ends of lines and at its own end."""
        return "\n".join(line.rstrip() for line in self._screen.display).rstrip().split("\n")

    def resize(self, columns: int) -> None:
        """Make it wider or narrower; the kernel sends SIGWINCH to who runs in it."""
        self._set_size(self._ours, columns)
        self._screen.resize(LINES, columns)

    def press(self, keys: bytes) -> None:
        """Type; Ctrl-C becomes SIGINT to the whole foreground, as a shell would have it."""
        os.write(self._ours, keys)

    def read_until(self, text: str, ceiling_s: float = 60.0) -> None:
        """Read until the text was written; fail where the command ends or the time is over."""
        end_s = time.monotonic() + ceiling_s
        start = len(self.raw)
        while text.encode() not in self.raw[start:]:
            assert time.monotonic() < end_s, f"no {text!r} in {self.lines}"
            assert self._read(), f"ended without {text!r}: {self.lines}"

    def wait(self, ceiling_s: float = 180.0) -> int:
        """Read to the end; the exit code."""
        end_s = time.monotonic() + ceiling_s
        while self._read():
            assert time.monotonic() < end_s, f"still running: {self.lines}"
        return self.process.wait(30)

    def _read(self) -> bool:
        """Take in what is there within a second; False at the end."""
        with selectors.DefaultSelector() as selector:
            selector.register(self._ours, selectors.EVENT_READ)
            if not selector.select(1.0):
                return True
        try:
            piece = os.read(self._ours, 65_536)
        except OSError:  # EIO: nobody has the other end any more
            piece = b""
        self.raw += piece
        self._stream.feed(piece)
        return bool(piece)

    def _set_size(self, handle: int, columns: int) -> None:
        fcntl.ioctl(handle, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))

    def close(self) -> None:
        """End what runs in it, as a window that is closed does."""
        os.close(self._ours)
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(30)


@contextlib.contextmanager
def terminal(
    argv: Sequence[str], env: Mapping[str, str], columns: int = 80, **popen: Any
) -> Iterator[Terminal]:
    """A command in a terminal, ended at the end."""
    one = Terminal(argv, env, columns, **popen)
    try:
        yield one
    finally:
        one.close()
