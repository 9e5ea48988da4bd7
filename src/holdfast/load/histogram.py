"""Counts durations in log-linear buckets: exact below 256 ns, then 0.8 % wide at most, to an hour.

Pure: merging two histograms is adding their buckets. Never reads a clock, nor knows what lasted.
"""

from __future__ import annotations

import operator
from array import array
from collections.abc import Iterable, Mapping
from typing import Final

SUB_BITS: Final = 7
"""An octave has 2**7 buckets, so a bucket is between 1/256 and 1/128 of its value wide."""
HIGHEST_NS: Final = 3_600_000_000_000
"""One hour; what lasts longer is counted in the last bucket."""
_BITS: Final = SUB_BITS + 1
_LEAST: Final = 1 << SUB_BITS


def index_of(ns: int) -> int:
    """The bucket of a duration in nanoseconds; less than 0 counts as 0, over an hour as an hour."""
    if not 0 <= ns <= HIGHEST_NS:
        ns = min(max(ns, 0), HIGHEST_NS)
    shift = (ns | _LEAST).bit_length() - _BITS
    return (shift << SUB_BITS) + (ns >> shift)


BUCKETS: Final = index_of(HIGHEST_NS) + 1


def lowest_ns(index: int) -> int:
    """The smallest duration that a bucket counts, in nanoseconds."""
    shift = max((index >> SUB_BITS) - 1, 0)
    return (index - (shift << SUB_BITS)) << shift


def middle_ns(index: int) -> float:
    """The duration that stands for all those in a bucket, in nanoseconds."""
    return (lowest_ns(index) + lowest_ns(index + 1) - 1) / 2


class Histogram:
    """How many durations fell into each bucket. Answers in seconds."""

    def __init__(self, counts: Iterable[int] = ()) -> None:
        self.counts = array("Q", counts)
        if len(self.counts) > BUCKETS:
            raise ValueError(f"{len(self.counts)} buckets, {BUCKETS} at most")
        self.counts.extend([0] * (BUCKETS - len(self.counts)))

    def __repr__(self) -> str:
        p50, p99 = self.percentile_s(50), self.percentile_s(99)
        return f"<Histogram of {self.count}: p50 {p50:.6f} s, p99 {p99:.6f} s>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Histogram) and self.counts == other.counts

    __hash__ = None  # type: ignore[assignment]

    def record_ns(self, ns: int) -> None:
        """Count one duration, in nanoseconds."""
        self.counts[index_of(ns)] += 1

    def merge(self, counts: Histogram | Iterable[int]) -> None:
        """Add another histogram, or another's buckets, to this one."""
        added = counts.counts if isinstance(counts, Histogram) else counts
        self.counts = array("Q", map(operator.add, self.counts, added))

    @property
    def count(self) -> int:
        """How many durations were counted."""
        return sum(self.counts)

    @property
    def mean_s(self) -> float:
        """The mean in seconds, within 0.4 %; 0 when nothing was counted."""
        total = sum(count * middle_ns(index) for index, count in enumerate(self.counts) if count)
        return total / (self.count or 1) / 1e9

    @property
    def max_s(self) -> float:
        """The largest in seconds, within 0.4 %; 0 when nothing was counted."""
        return self.percentile_s(100)

    def percentile_s(self, percent: float) -> float:
        """The duration in seconds that `percent` of all did not exceed, within 0.4 %; 0 when empty.

        By nearest rank: the smallest value whose rank is at least percent / 100 x count.
        """
        rank = max(percent / 100 * self.count, 1)
        reached = 0
        for index, count in enumerate(self.counts):
            reached += count
            if reached >= rank:
                return middle_ns(index) / 1e9
        return 0.0

    def sparse(self) -> dict[int, int]:
        """The buckets that are not empty, {index: count}: what a result keeps and merges."""
        return {index: count for index, count in enumerate(self.counts) if count}

    @classmethod
    def from_sparse(cls, buckets: Mapping[int, int]) -> Histogram:
        """The histogram that `sparse()` described. Raises IndexError for a bucket that is none."""
        histogram = cls()
        for index, count in buckets.items():
            histogram.counts[index] += count
        return histogram
