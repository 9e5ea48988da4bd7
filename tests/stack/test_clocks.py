"""Which clock is asked: one that nobody can set, wherever a stack decides when."""

from __future__ import annotations

import re
from pathlib import Path

SOURCES = Path(__file__).parents[2] / "src" / "holdfast"
OF_DATES = {"stack/certificates.py", "stack/renewal.py"}
"""Certificates end at dates, and keys of tickets change by them: these ask for the date."""
SETTABLE = re.compile(r"\btime\.time\b|\btime_ns\b|\bdatetime\b|CLOCK_REALTIME|from time import")


def test_a_clock_that_jumps_moves_nothing() -> None:
    """Only what has to do with dates asks what time it is; all else asks how much has passed."""
    asking = {
        path.relative_to(SOURCES).as_posix()
        for room in ("policy", "stack", "worker")
        for path in (SOURCES / room).rglob("*.py")
        if SETTABLE.search(path.read_text("utf-8"))
    }
    assert asking == OF_DATES
