"""Durations in buckets: how wrong a percentile can be, and that merging loses nothing."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from holdfast.load.histogram import BUCKETS, HIGHEST_NS, Histogram, index_of, lowest_ns

DURATIONS = st.lists(st.integers(1_000, HIGHEST_NS), min_size=1, max_size=30)


def filled(durations: list[int]) -> Histogram:
    histogram = Histogram()
    for ns in durations:
        histogram.record_ns(ns)
    return histogram


@given(st.integers(0, HIGHEST_NS))
def test_a_duration_lies_in_its_bucket(ns: int) -> None:
    """Each duration up to an hour has one bucket, no more than 1 % wide from a microsecond on."""
    index = index_of(ns)
    low, high = lowest_ns(index), lowest_ns(index + 1)
    assert 0 <= index < BUCKETS
    assert low <= ns < high
    assert high - low <= max(1, 0.01 * ns)


def test_durations_out_of_range_are_counted() -> None:
    """Less than nothing counts as nothing, and more than an hour as an hour."""
    histogram = filled([-5, HIGHEST_NS * 2])
    assert histogram.sparse() == {0: 1, BUCKETS - 1: 1}


@given(DURATIONS, st.floats(0, 100))
def test_a_percentile_is_within_half_a_percent(durations: list[int], percent: float) -> None:
    """A percentile differs from the exact one, by nearest rank, by half a percent at most."""
    rank = max(math.ceil(percent / 100 * len(durations)), 1)
    exact_s = sorted(durations)[rank - 1] / 1e9
    assert abs(filled(durations).percentile_s(percent) - exact_s) <= 0.005 * exact_s


@given(DURATIONS)
def test_the_mean_is_within_half_a_percent(durations: list[int]) -> None:
    """The mean differs from the exact one by half a percent at most."""
    exact_s = sum(durations) / len(durations) / 1e9
    assert abs(filled(durations).mean_s - exact_s) <= 0.005 * exact_s


@given(DURATIONS, DURATIONS)
def test_merging_is_recording_both(one: list[int], other: list[int]) -> None:
    """A merged histogram is the one that had recorded everything, also through its sparse form."""
    merged = filled(one)
    merged.merge(filled(other))
    assert merged == filled(one + other)
    assert merged.count == len(one) + len(other)
    assert Histogram.from_sparse(merged.sparse()) == merged


def test_an_empty_histogram_answers_zero() -> None:
    """Of nothing, the count, the mean and every percentile are 0."""
    empty = Histogram()
    assert (empty.count, empty.mean_s, empty.max_s, empty.percentile_s(50)) == (0, 0, 0, 0)
