"""A running stack is found by its address and port; what is left of a dead one is not."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import msgspec
import pytest

from holdfast.stack.register import Entry, find_stack, registered
from holdfast.wire import Gauge


@pytest.fixture
def gauge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A gauge of two rows, in a temporary folder that the register is kept in too."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    path = str(tmp_path / "gauge")
    Gauge(path, create_rows=2).claim(1, slot=1, generation=0, pid=os.getpid())
    return path


def entry_file(folder: Path) -> Path:
    """The one entry of this user's register."""
    return next((folder / f"holdfast-stacks-{os.getuid()}").iterdir())


def test_a_stack_is_found_while_it_is_registered(gauge: str) -> None:
    """By its address and port, with its gauge and its workers; not by another port, nor after."""
    with registered("127.0.0.1", 12_345, gauge):
        found = find_stack("127.0.0.1", 12_345)
        assert found is not None
        assert found.supervisor_pid == os.getpid()
        assert found.worker_pids() == (os.getpid(),)
        assert find_stack("127.0.0.1", 12_346) is None
    assert find_stack("127.0.0.1", 12_345) is None


def test_the_entry_of_a_dead_supervisor_is_ignored(gauge: str, tmp_path: Path) -> None:
    """A pid that another process has by now was born at another time, and is not taken for it."""
    with registered("127.0.0.1", 12_345, gauge):
        file = entry_file(tmp_path)
        entry = msgspec.json.decode(file.read_bytes(), type=Entry)
        file.write_bytes(msgspec.json.encode(msgspec.structs.replace(entry, born=entry.born - 1)))
        assert find_stack("127.0.0.1", 12_345) is None


@pytest.mark.parametrize("text", [b"", b"{}", b"not JSON"])
def test_a_broken_entry_is_ignored(gauge: str, tmp_path: Path, text: bytes) -> None:
    """What cannot be read as an entry is no stack, and no fault."""
    with registered("127.0.0.1", 12_345, gauge):
        entry_file(tmp_path).write_bytes(text)
        assert find_stack("127.0.0.1", 12_345) is None


def test_a_register_that_others_can_write_is_not_trusted(gauge: str, tmp_path: Path) -> None:
    """An entry in a folder that is open to other users may be theirs."""
    with registered("127.0.0.1", 12_345, gauge):
        entry_file(tmp_path).parent.chmod(0o777)
        assert find_stack("127.0.0.1", 12_345) is None
