"""50,000 in flight at the stated size: the plain ASGI app, and its memory beside the plan."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.run import holdfast

pytestmark = pytest.mark.full


def judged(out: Path, *words: str) -> dict[str, object]:
    """The result of a demo; a void run ends the tests as void, which may be tried again."""
    done = holdfast("demo", *words, "--out", str(out), timeout_s=900)
    if done.returncode == 3:
        pytest.exit(f"void: {done.stdout[-500:]}", returncode=3)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
    result: dict[str, object] = json.loads(out.read_text())
    return result


def test_the_plain_app_holds_fifty_thousand(tmp_path: Path) -> None:
    """50,000 held for 60 s with 5,000 idle clients beside; none fails."""
    words = ("--app", "wait:app", "-n", "50k", "--idle", "5k", "--hold", "60s")
    result = judged(tmp_path / "result.json", *words)
    assert result["verdict"] == "held"
    assert (result["failed"], result["idle"]) == (0, 5_000)
