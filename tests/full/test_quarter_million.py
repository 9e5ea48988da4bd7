"""250,000 in flight at the stated size: the plain ASGI app."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.full.test_fifty_thousand import judged

pytestmark = pytest.mark.full

MOST_BYTES = 6_000_000_000


def test_the_plain_app_holds_a_quarter_million(tmp_path: Path) -> None:
    """250,000 held for 30 s, none fails, and the whole machine takes under 6 GB more."""
    words = ("--app", "wait:app", "-n", "250k", "--idle", "0", "--hold", "30s")
    result = judged(tmp_path / "result.json", *words)
    assert result["verdict"] == "held"
    assert result["failed"] == 0
    assert isinstance(result["memory_bytes"], int)
    assert result["memory_bytes"] < MOST_BYTES
