"""How many clients are opened above what is asked."""

from __future__ import annotations

import pytest

from holdfast.proof.plan import surplus


@pytest.mark.parametrize(
    ("asked", "rate", "more"),
    [
        (10, 5.0, 32),
        (2_000, 1_000.0, 500),
        (50_000, 1_786.0, 2_000),
        (1_000_000, 3_333.0, 6_666),
        (50_000, 0.0, 2_000),
    ],
)
def test_the_clients_above_n_cover_a_stall(asked: int, rate: float, more: int) -> None:
    """At least 32 and half a second's answers; 4 % of N, but no more than two seconds' answers."""
    assert surplus(asked, rate) == more
