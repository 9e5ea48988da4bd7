"""Makes the changes of a tuned machine, and takes them back: files below a root, running values.

Must not know why. What was there is recorded first, so that a kill at any moment leaves something
that `undo` puts back; any other fault puts it back at once.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import tempfile
from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from holdfast.model.errors import HoldfastError
from holdfast.model.tuning import Need
from holdfast.stack.record import (
    FileWas,
    Record,
    ValueWas,
    failed,
    put_file,
    put_value,
    read_file,
    read_record,
    read_value,
    remove_record,
    sysctl_file,
    write_record,
)

STATE: Final = "/var/lib/holdfast"
"""Where the record lies, below the root (file-hierarchy(7): a program's persistent data)."""


class Pending(msgspec.Struct, frozen=True):
    """What differs from what is wanted: each file and running value as it is, and to be."""

    files: tuple[tuple[FileWas, bytes], ...]
    values: tuple[tuple[ValueWas, str], ...]

    def __bool__(self) -> bool:
        return bool(self.files or self.values)


class Tuner:
    """One machine's files below `root`, its running values, and the record of what was there."""

    def __init__(self, root: str = "/", state: str | None = None) -> None:
        self._root = os.path.abspath(root)
        self._state = os.path.abspath(state) if state else self._below(STATE)

    def recorded(self) -> Record | None:
        """What an earlier `apply` changed; None where nothing is to undo."""
        return read_record(self._state)

    def pending(self, files: Mapping[str, str], values: Mapping[str, str]) -> Pending:
        """What of {file: text} and {sysctl: value} is not so yet."""
        seen = [(read_file(self._below(path)), text.encode()) for path, text in files.items()]
        running = [(read_value(setting), value) for setting, value in values.items()]
        return Pending(
            tuple((was, text) for was, text in seen if was.text != text),
            tuple((was, value) for was, value in running if was.value != value),
        )

    def check(self, pending: Pending) -> None:
        """Raise HoldfastError, with nothing changed, where one change would not be permitted."""
        for was, _ in pending.files:
            _check_folder(was.path)
        for value, _ in pending.values:
            _check_value(value.setting)
        _check_folder(os.path.join(self._state, "record"))

    def apply(self, pending: Pending, needs: tuple[Need, ...]) -> None:
        """Make the changes, all or none; `needs` are all that the files now say.

        A second time only what is new is changed, and the first record stays what it was. Raises
        HoldfastError where something cannot be done, or is no longer as `pending` says.
        """
        self.check(pending)
        self._check_unchanged(pending)
        folders = _missing_folders([*(was.path for was, _ in pending.files), self._state + "/x"])
        with self._locked(folders):
            old = self.recorded()
            try:
                write_record(self._state, _merged(old or Record(), pending, folders, needs))
                for folder in folders:
                    os.makedirs(folder, exist_ok=True)
                for was, text in pending.files:
                    put_file(msgspec.structs.replace(was, text=text))
                for value, wanted in pending.values:
                    put_value(value.setting, wanted)
            except BaseException as fault:
                self._take_back(pending, folders, old)
                if isinstance(fault, OSError):
                    raise failed(fault, self._state, "write") from fault
                raise

    def undo(self, *, force: bool = False) -> Record | None:
        """Put back what was there before the first `apply`; None where there is nothing to undo.

        Raises HoldfastError, with nothing changed, where something is neither as it was nor as we
        left it, unless `force` says to overwrite that too.
        """
        record = self.recorded()
        if record is None:
            if os.path.isdir(self._state):
                with contextlib.suppress(OSError):
                    remove_record(self._state)
                    os.rmdir(self._state)
            return None
        changed = list(_changed_since(record))
        if changed and not force:
            hint = "look at them, then use `--undo --force` to overwrite them"
            fault = "somebody changed this since: " + "; ".join(changed)
            raise HoldfastError(fault, place=self._state, hint=hint)
        self._check_undo(record)
        with self._locked(()):
            self._put_back(record)
        return record

    def _put_back(self, record: Record) -> None:
        try:
            for was in record.values:
                put_value(was.setting, was.value)
            for file in record.files:
                put_file(file)
            remove_record(self._state)
        except OSError as fault:
            raise failed(fault, self._state, "write") from fault
        _remove_folders(record.folders)

    def _take_back(self, pending: Pending, folders: tuple[str, ...], old: Record | None) -> None:
        """After a fault: everything as it was before this `apply`, and the record too."""
        try:
            for was, _ in pending.values:
                put_value(was.setting, was.value)
            for file, _ in pending.files:
                if os.path.isdir(os.path.dirname(file.path)):
                    put_file(file)
            if old is None:
                remove_record(self._state)
            else:
                write_record(self._state, old)
        except (OSError, HoldfastError) as worse:
            fault = f"it failed, and could not be put back: {worse}"
            hint = "mend that, then `holdfast tune --undo`"
            raise HoldfastError(fault, place=self._state, hint=hint) from worse
        _remove_folders(folders)

    def _check_unchanged(self, pending: Pending) -> None:
        seen = Pending(
            tuple((read_file(was.path), text) for was, text in pending.files),
            tuple((read_value(was.setting), value) for was, value in pending.values),
        )
        if seen != pending:
            hint = "run it again, and look at the new difference"
            raise HoldfastError("the machine was changed meanwhile", hint=hint)

    def _check_undo(self, record: Record) -> None:
        for file in record.files:
            if read_file(file.path) != msgspec.structs.replace(file, wrote=()):
                _check_folder(file.path)
        for value in record.values:
            if read_value(value.setting).value != value.value:
                _check_value(value.setting)
        _check_folder(os.path.join(self._state, "record"))

    @contextlib.contextmanager
    def _locked(self, folders: tuple[str, ...]) -> Iterator[None]:
        """Nobody else tunes meanwhile; the lock is the state folder's own."""
        try:
            os.makedirs(self._state, exist_ok=True)
            handle = os.open(self._state, os.O_RDONLY)
        except OSError as fault:
            _remove_folders(folders)
            raise failed(fault, self._state, "make") from fault
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            hint = "wait until it is done"
            raise HoldfastError("another `tune` is at work", place=self._state, hint=hint) from None
        else:
            yield
        finally:
            os.close(handle)

    def _below(self, path: str) -> str:
        return os.path.join(self._root, path.lstrip("/"))


def _merged(
    old: Record, pending: Pending, folders: tuple[str, ...], needs: tuple[Need, ...]
) -> Record:
    """The record once `pending` is made: what was first seen stays, what is written is added."""
    files = {was.path: was for was in old.files}
    for file, text in pending.files:
        first = files.get(file.path, file)
        files[file.path] = msgspec.structs.replace(first, wrote=(*first.wrote, text))
    values = {was.setting: was for was in old.values}
    for value, wanted in pending.values:
        was = values.get(value.setting, value)
        values[value.setting] = msgspec.structs.replace(was, wrote=(*was.wrote, wanted))
    return Record(
        folders=(*old.folders, *(folder for folder in folders if folder not in old.folders)),
        files=tuple(files.values()),
        values=tuple(values.values()),
        needs=needs,
    )


def _changed_since(record: Record) -> Iterator[str]:
    """What is neither as it was nor as we wrote it: a kill between two steps leaves only those."""
    for file in record.files:
        now = read_file(file.path)
        if now.text not in {file.text, *file.wrote}:
            yield file.path
    for value in record.values:
        running = read_value(value.setting).value
        if running not in {value.value, *value.wrote}:
            yield f"{value.setting} is `{running}`"


def _missing_folders(paths: list[str]) -> tuple[str, ...]:
    """The folders of these files that are not there, outermost first."""
    found: list[str] = []
    for path in paths:
        missing = []
        folder = os.path.dirname(path)
        while not os.path.isdir(folder):
            missing.append(folder)
            folder = os.path.dirname(folder)
        found += [folder for folder in reversed(missing) if folder not in found]
    return tuple(found)


def _remove_folders(folders: tuple[str, ...]) -> None:
    """Remove those that we made, innermost first; one that somebody uses stays."""
    for folder in sorted(folders, key=len, reverse=True):
        with contextlib.suppress(OSError):
            os.rmdir(folder)


def _check_folder(path: str) -> None:
    """Whether a file can be made where `path` is to be: the nearest folder that exists is tried."""
    folder = os.path.dirname(path)
    while not os.path.isdir(folder):
        folder = os.path.dirname(folder)
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as fault:
        raise failed(OSError(fault.errno, fault.strerror, path), path, "write") from fault


def _check_value(setting: str) -> None:
    """Whether a running value may be written: its file is opened, and nothing is written."""
    path = sysctl_file(setting)
    try:
        os.close(os.open(path, os.O_WRONLY))
    except OSError as fault:
        if fault.errno == errno.ENOENT:
            fault = OSError(fault.errno, "this kernel has no such setting", path)
        raise failed(fault, path, "write") from fault
