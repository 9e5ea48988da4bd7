"""The result's file: what is written is read back, whole or not at all, on real and full disks."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from holdfast.load.histogram import Histogram
from holdfast.model.errors import BadInput, HoldfastError
from holdfast.proof import result as results
from holdfast.proof.moment import Moment, Series, Witnesses
from holdfast.proof.result import Result, check_place, read_result, write_result

FIRST = (
    *("version", "verdict", "reasons", "notes", "asked", "held", "held_by", "failed"),
    *("unfinished", "answered", "hold_s", "memory_bytes"),
)


def moment(second: int) -> Moment:
    seen = Witnesses(second + 0.00001, 100 + second, None if second else 99, 101)
    return Moment("hold", seen.at_s, seen, 1 / 3, second * 5, 0, 10, 0, 0, 1 << 20, 0.01, 0.5)


def a_result() -> Result:
    spread = results.Spread(1.0, 2.0, 3.0, 4.0, 5.0)
    histogram = Histogram()
    histogram.record_ns(20_000_000)
    buckets = histogram.sparse()
    return Result(
        version=results.VERSION,
        verdict="not held",
        reasons=["3 requests failed"],
        notes=[],
        asked=100,
        held=99,
        held_by="app",
        failed=3,
        unfinished=1,
        answered=15,
        hold_s=3.0,
        memory_bytes=1 << 20,
        rate=5.0,
        opened_s=1.5,
        idle=10,
        witnesses=results.Least(100, 99, 101),
        errors={"reset": 3},
        first_error="reset: gone",
        counters={"ListenOverflows": 2},
        totals=results.Totals(20, 19, 1, 15, 3, 1),
        response_ms=spread,
        service_ms=spread,
        lag_ms=spread,
        memory=results.Memory(1, 2, 3, 4, 5, 9.7, {"services": 4}),
        cpu=results.Cpu(0.5, 1.25, 2.5, {"services": 0.5}),
        series=Series.of(moment(second) for second in range(3)),
        machine=results.About(2.0, 1 << 34, "6.1", "3.11", "0.1", "a model"),
        started_at="2026-11-20T12:00:00+00:00",
        histograms=results.Histograms(buckets, buckets, {}),
    )


def test_a_result_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    """Writing and reading a result gives the same record."""
    path = str(tmp_path / "result.json")
    write_result(a_result(), path)
    assert read_result(path) == a_result()


def test_the_top_level_begins_with_the_verdict(tmp_path: Path) -> None:
    """The first fields of the JSON are those that are looked for first."""
    path = tmp_path / "result.json"
    write_result(a_result(), str(path))
    text = path.read_text()
    assert tuple(json.loads(text))[: len(FIRST)] == FIRST
    assert text.endswith("\n")


def test_moments_become_columns() -> None:
    """The series has one list for each column, rounded, with None where nobody counted."""
    series = a_result().series
    assert series.client == [100, 101, 102]
    assert series.app == [99, None, None]
    assert series.rate == [0.3333] * 3
    assert series.at_s == [0.0, 1.0, 2.0]
    columns = msgspec.structs.asdict(series)
    assert columns.pop("memory_parts") == {}
    assert {len(column) for column in columns.values()} == {3}


def test_sparse_histograms_merge(tmp_path: Path) -> None:
    """Two results' histograms, read back, add up."""
    path = str(tmp_path / "result.json")
    write_result(a_result(), path)
    both = Histogram.from_sparse(read_result(path).histograms.response)
    both.merge(Histogram.from_sparse(a_result().histograms.response))
    assert both.count == 2


def test_a_written_file_has_ordinary_permissions(tmp_path: Path) -> None:
    """Others may read a result as far as the umask lets them."""
    before = os.umask(0o027)
    try:
        write_result(a_result(), str(tmp_path / "result.json"))
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "result.json").stat().st_mode) == 0o640


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    """A result written through a symbolic link lands where that points."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link.json").symlink_to(tmp_path / "real" / "result.json")
    write_result(a_result(), str(tmp_path / "link.json"))
    assert (tmp_path / "link.json").is_symlink()
    assert read_result(str(tmp_path / "real" / "result.json")) == a_result()


def test_a_device_is_written_to_and_never_replaced(tmp_path: Path) -> None:
    """A pipe or a device at the path gets the text and stays what it is."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        check_place(str(pipe))
        write_result(a_result(), str(pipe))
        assert os.read(reader, 1 << 16) == results.encode(a_result())
    finally:
        os.close(reader)
    assert stat.S_ISFIFO(pipe.stat().st_mode)


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one page, mounted in place; skipped by name where mounting is forbidden."""
    folder = tmp_path / "full"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4k", "holdfast-test", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False, timeout=30).returncode:
        pytest.skip("mounting a tmpfs is not allowed here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True, timeout=30)


def large() -> Result:
    reasons = [f"reason {n}" for n in range(10_000)]
    return msgspec.structs.replace(a_result(), reasons=reasons)


def test_a_full_disk_is_an_error_and_leaves_what_was_there(full_disk: Path) -> None:
    """A disk without room gives fault, place and hint; the old file stays and no other appears."""
    path = full_disk / "result.json"
    path.write_text("old")
    with pytest.raises(HoldfastError) as caught:
        write_result(large(), str(path))
    assert caught.value.fault == "the result cannot be written: No space left on device"
    assert caught.value.place == str(path)
    assert "make room" in (caught.value.hint or "")
    assert path.read_text() == "old"
    assert os.listdir(full_disk) == ["result.json"]


def test_a_file_size_limit_is_an_error_too(tmp_path: Path) -> None:
    """A process that may not write so large a file fails in the same way."""
    code = (
        "import resource, sys\n"
        "from holdfast.model.errors import HoldfastError\n"
        "from tests.proof.test_result import large, write_result\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))\n"
        "try: write_result(large(), sys.argv[1])\n"
        "except HoldfastError as e: assert 'File too large' in e.fault, e\n"
        "else: raise AssertionError\n"
    )
    path = str(tmp_path / "result.json")
    subprocess.run(
        [sys.executable, "-c", code, path],
        check=True,
        timeout=60,
        cwd=Path(__file__).parents[2],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
    )
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("name", ["missing/result.json", "", "file/result.json"])
def test_an_unwritable_place_is_known_before_the_run(tmp_path: Path, name: str) -> None:
    """No folder, a folder itself, and a file for a folder are refused beforehand and at the end."""
    (tmp_path / "file").write_text("")
    path = str(tmp_path / name)
    for act in (lambda: check_place(path), lambda: write_result(a_result(), path)):
        with pytest.raises(HoldfastError, match="the result cannot be written") as caught:
            act()
        assert caught.value.place == path
    assert os.listdir(tmp_path) == ["file"]


def test_a_place_that_is_good_stays_untouched(tmp_path: Path) -> None:
    """Looking beforehand leaves no file, and an old result as it was."""
    path = tmp_path / "result.json"
    check_place(str(path))
    assert os.listdir(tmp_path) == []
    path.write_text("old")
    check_place(str(path))
    assert path.read_text() == "old"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (b'{"version": 99}', "a result of version 99, 1 is known"),
        (b'{"version": 1}', "this is not a result"),
        (b"{}", "this is not a result"),
        (b"\xff\x00", "this is not a result"),
        (b"", "this is not a result"),
        (None, "no result can be read: No such file or directory"),
    ],
)
def test_what_is_no_result_is_bad_input(tmp_path: Path, text: bytes | None, fault: str) -> None:
    """Other versions, other files and missing ones are told apart, with the place."""
    path = tmp_path / "result.json"
    if text is not None:
        path.write_bytes(text)
    with pytest.raises(BadInput, match=fault) as caught:
        read_result(str(path))
    assert caught.value.place == str(path)
