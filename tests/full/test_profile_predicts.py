"""A profile taken at 2,000 in flight against 50,000 that are held: the plain ASGI app's memory."""

from __future__ import annotations

from pathlib import Path

import pytest
from bench.profile_predicts import measure, predict, take_profile

pytestmark = pytest.mark.full

NEAR, HELD = 0.1, 50_000


def test_two_thousand_predict_fifty_thousand(tmp_path: Path) -> None:
    """What the path takes at 50,000 is within 10 % of what was written down before."""
    profile = tmp_path / "wait.json"
    code = take_profile("wait", profile)
    if code == 3:
        pytest.exit("void: no profile could be taken", returncode=3)
    assert code == 0
    predicted = predict("wait", profile, HELD)
    measured = measure("wait", profile, HELD, predicted["mean_time_s"])
    result = measured["result"]
    if result["verdict"] == "void":
        pytest.exit(f"void: {result['reasons']}", returncode=3)
    assert result["verdict"] == "held", result["reasons"]
    assert abs(predicted["memory_bytes"] / measured["memory_bytes"] - 1) < NEAR
