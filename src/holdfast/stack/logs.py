"""Reads the logs of a run folder while they are written, and set aside. Writes and prints nothing.

What is set aside is in `.1` (`run_dir.bound`), and the log itself begins anew, as the same file.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from typing import Final

_NAME: Final = re.compile(r"(?:slot-(\d+)|edge)\.log")
_BLOCK: Final = 65_536
_MOST: Final = 2**20
"""What is read of one log before the others have their turn."""


def find_logs(run_dir: str) -> dict[str, str]:
    """The logs of a run folder, their paths by name: "slot-0", "slot-1", and "edge" at the end."""
    try:
        found = list(filter(None, map(_NAME.fullmatch, os.listdir(run_dir))))
    except OSError:
        return {}
    found.sort(key=lambda name: (name[1] is None, int(name[1] or 0)))
    return {each[0].removesuffix(".log"): os.path.join(run_dir, each[0]) for each in found}


class LogReader:
    """Reads the log at `path` from its beginning, or from where `last` has left it.

    Raises OSError where it cannot be opened. What it has open it reads to the end, though its
    folder be removed meanwhile.
    """

    def __init__(self, path: str) -> None:
        self._aside = f"{path}.1"
        self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self._at = 0
        self._begun = b""
        self._stamp = self._stamped()
        self.torn = 0
        """How often lines were written and set aside that could not be read again."""

    def last(self, count: int) -> list[bytes]:
        """The last `count` lines, also of what was set aside; `more` goes on after them."""
        self._at = os.fstat(self._fd).st_size
        lines = _last(self._fd, self._at, count)
        if len(lines) < count:
            with contextlib.suppress(OSError), _opened(self._aside) as aside:
                lines = _last(aside, os.fstat(aside).st_size, count - len(lines)) + lines
        return lines

    def more(self) -> list[bytes]:
        """Whole lines that were written since, a mebibyte at a time; [] where there are none."""
        parts, size = [self._begun], os.fstat(self._fd).st_size
        if size < self._at:
            parts.append(self._rest_aside())
            self._at = 0
        else:
            self._stamp = self._stamped()
        data = os.pread(self._fd, _MOST, self._at)
        self._at += len(data)
        *lines, self._begun = b"".join((*parts, data)).split(b"\n")
        return lines

    def rest(self) -> bytes:
        """A last line that has no end yet."""
        rest, self._begun = self._begun, b""
        return rest

    def close(self) -> None:
        """Let go of it."""
        os.close(self._fd)

    def _rest_aside(self) -> bytes:
        """What was written to the log, and not read, before it was set aside."""
        try:
            with _opened(self._aside) as aside:
                size = os.fstat(aside).st_size
                if size >= self._at and self._stamped() != self._stamp:
                    return b"".join(_blocks(aside, self._at, size))
        except OSError:
            pass
        self.torn += 1
        return b""

    def _stamped(self) -> tuple[int, int]:
        """When what was set aside was written; changes whenever something is."""
        try:
            seen = os.stat(self._aside)
        except OSError:
            return (0, 0)
        return (seen.st_mtime_ns, seen.st_size)


@contextlib.contextmanager
def _opened(path: str) -> Iterator[int]:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield fd
    finally:
        os.close(fd)


def _blocks(fd: int, start: int, end: int) -> Iterator[bytes]:
    while start < end and (data := os.pread(fd, min(_MOST, end - start), start)):
        start += len(data)
        yield data


def _last(fd: int, size: int, count: int) -> list[bytes]:
    """The last lines of so many bytes of a file; reads no more of it than they take."""
    blocks: list[bytes] = []
    ends = 0
    while size and ends <= count:
        start = max(0, size - _BLOCK)
        blocks.append(os.pread(fd, size - start, start))
        ends += blocks[-1].count(b"\n")
        size = start
    lines = b"".join(reversed(blocks)).removesuffix(b"\n").split(b"\n")
    return lines[-count:] if count and blocks else []
