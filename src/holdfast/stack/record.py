"""What was there before a machine was tuned: files and running values, and the record of them.

Reads and writes one file or value at a time, whole or not at all; decides nothing of which.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from typing import Final

import msgspec

from holdfast.model.errors import HoldfastError
from holdfast.model.tuning import Need

VERSION: Final = 1
NAME: Final = "tune.json"


class FileWas(msgspec.Struct, frozen=True):
    """A file as it was (`text` is None: there was none), and each text that was put there since.

    `uid` and `gid` are -1 for whoever writes it.
    """

    path: str
    text: bytes | None
    mode: int = 0o644
    uid: int = -1
    gid: int = -1
    wrote: tuple[bytes, ...] = ()


class ValueWas(msgspec.Struct, frozen=True):
    """A running value as it was, and each value that was put there since."""

    setting: str
    value: str
    wrote: tuple[str, ...] = ()


class Record(msgspec.Struct, frozen=True):
    """All that `undo` puts back; `folders` were made by us, outermost first; `needs`: why."""

    version: int = VERSION
    folders: tuple[str, ...] = ()
    files: tuple[FileWas, ...] = ()
    values: tuple[ValueWas, ...] = ()
    needs: tuple[Need, ...] = ()


def read_record(state: str) -> Record | None:
    """The record in the folder `state`, None where there is none; raises HoldfastError."""
    path = os.path.join(state, NAME)
    try:
        with open(path, "rb") as file:
            record = msgspec.json.decode(file.read(), type=Record)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise failed(error, path, "read") from error
    except msgspec.DecodeError as error:
        hint = "it was not written by this release; mend it, or put the files back by hand"
        raise HoldfastError(f"this is no record: {error}", place=path, hint=hint) from error
    if record.version != VERSION:
        hint = "undo with the release that wrote it"
        raise HoldfastError(f"a record of version {record.version}", place=path, hint=hint)
    return record


def write_record(state: str, record: Record) -> None:
    """Put the record in the folder `state`, safe from a crash once this returns."""
    path = os.path.join(state, NAME)
    replace(path, msgspec.json.format(msgspec.json.encode(record), indent=2), 0o644)
    folder = os.open(state, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def remove_record(state: str) -> None:
    """Take away the record and what a kill while writing it left; nothing is no fault."""
    path = os.path.join(state, NAME)
    for name in (path, temporary(path)):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name)


def read_file(path: str) -> FileWas:
    """A file as it is now; raises HoldfastError for anything but a plain file or none."""
    try:
        seen = os.lstat(path)
        if not stat.S_ISREG(seen.st_mode):
            hint = "move it away; only a plain file is put back exactly"
            raise HoldfastError("it is no plain file", place=path, hint=hint)
        with open(path, "rb") as file:
            text = file.read()
    except FileNotFoundError:
        return FileWas(path, None)
    except OSError as error:
        raise failed(error, path, "read") from error
    return FileWas(path, text, stat.S_IMODE(seen.st_mode), seen.st_uid, seen.st_gid)


def put_file(was: FileWas) -> None:
    """Make the file what `was` says, whole or not at all; raises OSError."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(temporary(was.path))
    if read_file(was.path) == msgspec.structs.replace(was, wrote=()):
        return
    if was.text is None:
        os.unlink(was.path)
    else:
        replace(was.path, was.text, was.mode, (was.uid, was.gid))


def replace(path: str, text: bytes, mode: int, owner: tuple[int, int] | None = None) -> None:
    """Write a file beside `path` and put it in its place; none is left behind on a fault."""
    beside = temporary(path)
    try:
        with open(beside, "wb") as file:
            os.fchmod(file.fileno(), mode)
            if owner is not None:
                os.fchown(file.fileno(), *owner)
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    except BaseException as fault:
        with contextlib.suppress(OSError):
            os.unlink(beside)
        if isinstance(fault, OSError):
            raise OSError(fault.errno, fault.strerror, path) from fault
        raise


def temporary(path: str) -> str:
    """The file beside `path`: hidden, not *.conf, and always the same, so that undo finds it."""
    folder, name = os.path.split(path)
    return os.path.join(folder, f".{name}.holdfast")


def sysctl_file(setting: str) -> str:
    """The file of a running value: net.core.somaxconn is /proc/sys/net/core/somaxconn."""
    return f"/proc/sys/{setting.replace('.', '/')}"


def read_value(setting: str) -> ValueWas:
    """A running value as it is now, its words parted by one space; raises HoldfastError."""
    path = sysctl_file(setting)
    try:
        with open(path, encoding="utf-8") as file:
            return ValueWas(setting, " ".join(file.read().split()))
    except OSError as error:
        raise failed(error, path, "read") from error


def put_value(setting: str, value: str) -> None:
    """Give the running kernel a value, and see that it took it; raises HoldfastError."""
    if read_value(setting).value == value:
        return
    path = sysctl_file(setting)
    try:
        with open(path, "w", encoding="utf-8") as file:
            file.write(value + "\n")
    except OSError as error:
        raise failed(error, path, f"write `{value}` to") from error
    taken = read_value(setting).value
    if taken != value:
        hint = "see what else sets it on this machine"
        raise HoldfastError(f"`{value}` was written, and it is `{taken}`", place=path, hint=hint)


def failed(error: OSError, path: str, doing: str) -> HoldfastError:
    """The fault of a file that could not be read or written, with what mends it."""
    hints = {
        "EACCES": "run it as root, like `sudo holdfast tune ... --apply`",
        "EPERM": "run it as root, like `sudo holdfast tune ... --apply`",
        "EROFS": "it is mounted read-only: make the change where the machine is made",
        "ENOSPC": "make room, and try again",
        "EINVAL": "this kernel takes no such value: see what it allows",
        "ENOENT": "this kernel or this place has no such file",
    }
    name = errno.errorcode.get(error.errno or 0, "")
    return HoldfastError(
        f"cannot {doing} it: {error.strerror}",
        place=error.filename or path,
        hint=hints.get(name, "nothing was changed"),
    )
