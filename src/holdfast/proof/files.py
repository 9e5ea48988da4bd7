"""Reads a file, and writes one whole or not at all. Must not know what is in it."""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile

from holdfast.model.errors import BadInput, HoldfastError
from holdfast.model.units import format_bytes


def read_whole(path: str, what: str, hint: str) -> bytes:
    """What is in the file; raises BadInput (place: the path) where it cannot be read."""
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        fault = f"no {what} can be read: {error.strerror}"
        raise BadInput(fault, place=path, hint=hint) from error


def write_whole(text: bytes, path: str, what: str) -> None:
    """Write `text` to `path`, whole or not at all; a file that is there stays until then.

    `what` names it in the fault: "result". Raises HoldfastError (place: the path) where the disk is
    full or the place is not writable.
    """
    path = os.path.realpath(path)
    try:
        if _is_special(path):
            with open(path, "wb") as file:
                file.write(text)
        else:
            _replace(path, text)
    except OSError as error:
        hint = f"{format_bytes(len(text))} are needed; make room, or name another file"
        raise _unwritten(error, path, what, hint) from error


def check_writable(path: str, what: str) -> None:
    """Raise HoldfastError now where `write_whole` could not write `path` at the end."""
    path = os.path.realpath(path)
    try:
        if os.path.isdir(path):
            raise IsADirectoryError(0, "it is a folder")
        if not _is_special(path):
            os.unlink(_temporary(path, b""))
    except OSError as error:
        hint = "name a file in a folder that you can write"
        raise _unwritten(error, path, what, hint) from error


def _replace(path: str, text: bytes) -> None:
    temporary = _temporary(path, text)
    try:
        os.replace(temporary, path)
    except OSError:
        os.unlink(temporary)
        raise


def _temporary(path: str, text: bytes) -> str:
    """A file beside `path` with the text safely in it; none is left behind when that fails."""
    folder, name = os.path.split(path)
    handle, temporary = tempfile.mkstemp(prefix=f".{name}.", dir=folder)
    try:
        with open(handle, "wb") as file:
            os.fchmod(handle, 0o666 & ~_umask())
            file.write(text)
            file.flush()
            os.fsync(handle)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
    return temporary


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _is_special(path: str) -> bool:
    """Whether it is there and not a plain file, such as /dev/null or a pipe: never replaced."""
    try:
        return not stat.S_ISREG(os.stat(path).st_mode)
    except FileNotFoundError:
        return False


def _unwritten(error: OSError, path: str, what: str, hint: str) -> HoldfastError:
    fault = f"the {what} cannot be written: {error.strerror or error}"
    return HoldfastError(fault, place=path, hint=hint)
