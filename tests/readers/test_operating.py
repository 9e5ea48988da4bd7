"""`[care]` and `[scale]` of holdfast.toml: numbers with units, and marks that fit each other."""

from __future__ import annotations

import pytest

from holdfast.model.care import Care
from holdfast.model.errors import BadInput
from holdfast.model.scale import Scale
from holdfast.readers.project import Project, read_project


def test_limits_of_a_worker_are_written_with_units() -> None:
    """Times, sizes and counts as people write them; unwritten, only answers are asked for."""
    text = "[care]\nmax_age = '12h'\nmax_requests = '1m'\nmemory = '600 MiB'\ndeaf = '1m'"
    expected = Care(max_age=43_200.0, max_requests=1_000_000, memory=600 << 20, deaf=60.0)
    assert read_project(text, "a").care == expected
    assert Project().care == Care(max_age=0.0, max_requests=None, memory=None, deaf=30.0)


def test_bounds_of_scaling_are_min_and_max() -> None:
    """They are named as everybody names them, and without `max` nothing scales."""
    text = "[scale]\nmin = 2\nmax = '8'\nup_after = '5s'\nstep = 1"
    expected = Scale(most=8, fewest=2, up_after=5.0, step=1)
    assert read_project(text, "a").scale == expected
    assert Project().scale.most is None


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("[scale]\nmin = 3\nmax = 2", "`max` has to be `min` or more"),
        ("[scale]\nlow = 0.9", "`low` has to be below `high`"),
        ("[scale]\nhigh = 1.5", "$.scale.high"),
        ("[scale]\nmost = 4", "most"),
        ("[care]\ndeaf = 'never'", "$.care.deaf"),
        ("[care]\nmax_requests = 0", "$.care.max_requests"),
    ],
)
def test_what_cannot_be_meant_is_refused(text: str, fault: str) -> None:
    """Told by its key, or by what contradicts it."""
    with pytest.raises(BadInput) as caught:
        read_project(text, "app/holdfast.toml")
    assert fault in caught.value.fault
