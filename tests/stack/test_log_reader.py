"""Reading logs while they are written: the last lines, what comes then, and what was set aside."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from holdfast.stack import run_dir
from holdfast.stack.logs import LogReader, find_logs


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A log that is set aside once it is longer than 100 bytes."""
    monkeypatch.setattr(run_dir, "LOG_BYTES", 100)
    path = tmp_path / "slot-0.log"
    path.touch()
    return path


@pytest.fixture
def reader(log: Path) -> Iterator[LogReader]:
    """Read it."""
    with closing(LogReader(str(log))) as reading:
        yield reading


def write(log: Path, *lines: object) -> None:
    """Append lines as a worker does."""
    with log.open("a") as file:
        file.writelines(f"{line}\n" for line in lines)


def said(*lines: object) -> list[bytes]:
    return [str(line).encode() for line in lines]


def test_logs_are_found_by_slot_and_the_edge_comes_last(tmp_path: Path) -> None:
    """What was set aside, and what is of others, is no log of its own."""
    for name in ("edge.log", "slot-10.log", "slot-2.log", "slot-2.log.1", "app.log", "gauge"):
        (tmp_path / name).touch()
    assert list(find_logs(str(tmp_path))) == ["slot-2", "slot-10", "edge"]
    assert find_logs(str(tmp_path / "none")) == {}


@pytest.mark.parametrize("width", [1, 70_000])
@pytest.mark.parametrize("count", [0, 1, 3, 9])
def test_the_last_lines_are_read_from_the_end(log: Path, width: int, count: int) -> None:
    """As many as are asked for, or as there are, however long; more begins after them."""
    lines = [f"{number}" * width for number in range(5)]
    write(log, *lines)
    with closing(LogReader(str(log))) as reader:
        assert reader.last(count) == said(*lines[5 - min(count, 5) :])
        assert reader.more() == []
        write(log, "next")
        assert reader.more() == said("next")


def test_the_last_lines_go_on_in_what_was_set_aside(log: Path, reader: LogReader) -> None:
    """A log that has just begun anew has the others in `.1`."""
    write(log, *range(60))
    assert run_dir.bound(str(log))
    write(log, "anew")
    assert reader.last(3) == said(58, 59, "anew")


def test_a_line_is_given_once_it_is_whole(log: Path, reader: LogReader) -> None:
    """Half a line waits for its other half; what never gets one is the rest."""
    with log.open("a") as file:
        for text in ("ha", "lf\nnext", " one"):
            file.write(text)
            file.flush()
            assert reader.more() == ([b"half"] if text.endswith("next") else [])
    assert (reader.rest(), reader.rest()) == (b"next one", b"")


def test_nothing_is_lost_or_said_twice_where_a_log_is_set_aside(
    log: Path, reader: LogReader
) -> None:
    """What was written before, and not read yet, comes first; again and again."""
    heard: list[bytes] = []
    for turn in range(3):
        write(log, *(f"{turn} {number}" for number in range(10)))
        heard += reader.more()
        write(log, *(f"{turn} {number}" for number in range(10, 40)))
        assert run_dir.bound(str(log))
        write(log, f"{turn} anew")
        heard += reader.more()
    wanted = [(turn, number) for turn in range(3) for number in (*range(40), "anew")]
    assert heard == said(*(f"{turn} {number}" for turn, number in wanted))
    assert reader.torn == 0


def test_what_could_not_be_set_aside_is_known_to_be_lost(log: Path, reader: LogReader) -> None:
    """On a full disk a log is cut all the same: lines of an older one are not taken for its own."""
    aside = Path(f"{log}.1")
    aside.write_bytes(b"old\n" * 200)
    write(log, *range(10))
    assert len(reader.more()) == 10
    write(log, *range(10, 60))
    log.open("r+").truncate(0)
    write(log, "anew")
    assert (reader.more(), reader.torn) == (said("anew"), 1)


def test_a_log_is_read_to_its_end_though_its_folder_is_gone(tmp_path: Path) -> None:
    """A private run folder is removed as soon as its stack has ended."""
    log = tmp_path / "run" / "slot-0.log"
    log.parent.mkdir()
    log.touch()
    with closing(LogReader(str(log))) as reader:
        write(log, "last words")
        shutil.rmtree(log.parent)
        assert reader.more() == said("last words")
