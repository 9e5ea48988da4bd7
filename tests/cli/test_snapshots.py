"""What the real command prints in each case of `snapshots/`: stdout, stderr, screen, exit code."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.snapshot import FOLDER, WRITE, read_case, run_case

CASES = sorted(FOLDER.glob("*.txt"))


def cases() -> list[object]:
    """Each file as a parameter; a live run is slow."""
    marks = {True: [pytest.mark.slow], False: []}
    return [
        pytest.param(path, id=path.stem, marks=marks[read_case(path.read_text()).is_live])
        for path in CASES
    ]


@pytest.mark.parametrize("path", cases())
def test_the_command_prints_what_is_written(path: Path) -> None:
    """The whole output is as in the file; `HOLDFAST_SNAPSHOTS=write` writes it anew."""
    printed = run_case(read_case(path.read_text()))
    if WRITE:
        path.write_text(printed)
    assert printed == path.read_text()
