"""What an app prints: line by line, so that its last words are in the log, and never its end.

On a full disk a plain `print` would raise where a request is being answered.
"""

from __future__ import annotations

import errno
import io
import sys
from typing import TYPE_CHECKING, Final, TextIO

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_FULL: Final = {errno.ENOSPC, errno.EDQUOT}


class _Lossy(io.FileIO):
    """A file whose bytes are lost where its disk has no room for them."""

    def write(self, data: ReadableBuffer, /) -> int:
        try:
            return super().write(data)
        except OSError as error:
            if error.errno not in _FULL:
                raise
            return memoryview(data).nbytes


def keep_printing() -> None:
    """From now on this process prints so, to where it has printed before."""
    sys.stdout, sys.stderr = _lossy(sys.stdout), _lossy(sys.stderr)


def _lossy(stream: TextIO) -> TextIO:
    stream.flush()
    raw = io.BufferedWriter(_Lossy(stream.fileno(), "w", closefd=False))
    return io.TextIOWrapper(raw, stream.encoding, stream.errors, line_buffering=True)
