"""The folder of a running stack: private, of one stack at a time, clean at the start."""

from __future__ import annotations

import os
import shutil
from contextlib import closing
from pathlib import Path

import pytest

from holdfast.model.errors import BadInput, HoldfastError
from holdfast.stack.run_dir import RunDir, tail


def test_a_fresh_folder_is_private() -> None:
    """Without a given folder a new one is made that only its owner may enter."""
    with closing(RunDir("")) as folder:
        assert folder.is_private
        assert os.stat(folder.path).st_mode & 0o777 == 0o700
        shutil.rmtree(folder.path)


def test_a_given_folder_is_used_by_one_stack_at_a_time(short_path: Path) -> None:
    """A second stack in the same folder is refused until the first has left."""
    with closing(RunDir(str(short_path))), pytest.raises(BadInput, match="another stack"):
        RunDir(str(short_path))
    RunDir(str(short_path)).close()


def test_what_a_killed_stack_left_is_removed(short_path: Path) -> None:
    """Old gauges and sockets go; logs and files of others stay."""
    for name in ("gauge", "w-0.1.sock", "slot-0.log", "notes.txt"):
        (short_path / name).touch()
    RunDir(str(short_path)).close()
    assert {path.name for path in short_path.iterdir()} == {"slot-0.log", "notes.txt", "lock"}


def test_a_path_that_is_too_long_for_sockets_is_refused(tmp_path: Path) -> None:
    """A unix socket's path is short, so a long run folder is bad input before anything starts."""
    with pytest.raises(BadInput, match="longer than 64 bytes"):
        RunDir(str(tmp_path / ("x" * 80)))


def test_a_folder_that_cannot_be_made_is_an_error_with_its_place(tmp_path: Path) -> None:
    """A file in the way is named."""
    (tmp_path / "file").touch()
    with pytest.raises(HoldfastError) as caught:
        RunDir(str(tmp_path / "file" / "x"))
    assert caught.value.place == str(tmp_path / "file" / "x")


def test_the_tail_is_what_came_since(tmp_path: Path) -> None:
    """Of a log the last 20 lines are quoted, and none from before the offset."""
    log = tmp_path / "log"
    log.write_text("before\n" + "".join(f"{n}\n" for n in range(30)))
    assert tail(str(log), 7).splitlines() == [str(n) for n in range(10, 30)]
    assert tail(str(log), log.stat().st_size) == ""
    assert tail(str(tmp_path / "none"), 0) == ""
