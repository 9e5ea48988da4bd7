"""What changed between two results, and whether that is noise. Pure: records in, records out.

Method. Three kinds of figures, each with the noise that its own run shows:

- Means over the hold (answers a second, memory, processor). Each second of a hold resembles the
  one before, so seconds are not independent samples: the hold is cut into BATCHES stretches of
  equal length and their means are compared (batch means: Law, Simulation Modeling and Analysis,
  5th ed., 9.5.3) by Welch's interval for the difference, at CONFIDENCE (Biometrika 34, 1947).
  Memory and processor are the whole machine's, so other programs count too: the interval is widened
  by how much the part changed that no process of the run and no kernel memory explains.
- Percentiles of response and service time. The interval of each is between two order statistics
  whose ranks are the binomial's quantiles (David and Nagaraja, Order Statistics, 3rd ed., 7.1);
  widened by one bucket of the histogram. Two intervals that do not touch differ.
- Counts of failed requests, of so many sent: given their sum, one of two counts is binomial; the
  exact test of that (Przyborowski and Wilenski, Biometrika 31, 1940). The verdict is compared as
  it is.

One run cannot show how two runs of the same thing differ, so a difference below SAME of the base
is called noise whatever the interval says.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from statistics import NormalDist, fmean, variance
from typing import Final, Literal

import msgspec

from holdfast.load.histogram import lowest_ns
from holdfast.model.units import format_bytes, format_seconds
from holdfast.proof.result import EXIT_CODES, Result

Change = Literal["better", "worse", "noise", "unknown"]
CONFIDENCE: Final = 0.99
"""Of each interval; about one figure in a hundred is called different where nothing is."""
BATCHES: Final = 5
"""Stretches of a hold: Law advises 5 to 10 long ones rather than many short. Simulated holds of
40 s whose seconds correlate by 0.5 and vary by 5 % gave 1.2 % of false alarms with 5 and 2.8 %
with 10, and found a rate that was 10 % slower in 92 % and 99 %. A shorter hold shows no noise."""
SAME: Final = 0.03
"""The part of the base below which a difference is run-to-run noise. Six runs of the example app
`wait` at 2,000 in flight differed by 0.6 % in answers a second, 1.3 % in the median to the 99th
percentile, on a machine where other programs ran; this is about twice that."""
POINTS: Final = (50.0, 90.0, 99.0, 99.9)


class Figure(msgspec.Struct, frozen=True):
    """One figure of two results. `why` has the numbers that decided; `unit` says how to print it.

    `before` and `after` are None where a run has no such figure; the change is then unknown.
    """

    name: str
    unit: str
    before: float | None
    after: float | None
    change: Change
    why: str


class Comparison(msgspec.Struct, frozen=True):
    """Two results: each figure, and in what the runs are unlike so that figures may not compare."""

    figures: list[Figure]
    unlike: list[str]

    @property
    def exit_code(self) -> int:
        """1 where anything is worse beyond noise, 3 where a run was void, else 0."""
        changes = [figure.change for figure in self.figures]
        return 1 if "worse" in changes else 3 if changes[0] == "unknown" else 0


class Interval(msgspec.Struct, frozen=True):
    """A figure and where it lies at CONFIDENCE."""

    value: float
    low: float
    high: float


def compare(before: Result, after: Result) -> Comparison:
    """Each figure of `after` beside `before`, and whether it changed beyond noise.

    Where either run is void its figures prove nothing: all but the verdict are unknown.
    """
    figures = [_verdict(before, after), _failed(before, after), *_means(before, after)]
    figures += _percentiles(before, after)
    if "void" in (before.verdict, after.verdict):
        void = "a void run's figures prove nothing"
        figures[1:] = [
            msgspec.structs.replace(figure, change="unknown", why=void) for figure in figures[1:]
        ]
    return Comparison(figures, unlike(before, after))


def unlike(before: Result, after: Result) -> list[str]:
    """What differs in what was asked, planned, the machine and the versions, as lines."""
    found = []
    for name in ("asked", "hold_s", "idle"):
        pair = (getattr(before, name), getattr(after, name))
        if abs(pair[0] - pair[1]) > 0.05 * max(pair):
            found.append(f"{name}: {pair[0]:,g} and {pair[1]:,g}")
    asked = [_paced(result) for result in (before, after)]
    if asked[0] != asked[1]:
        found.append(f"by rate: {asked[0]} and {asked[1]}")
    plans = [result.planned for result in (before, after)]
    if plans[0] is not None and plans[1] is not None:
        times = [plan.mean_time_s for plan in plans if plan is not None]
        if times[0] != times[1]:
            found.append(f"mean time: {times[0]:g} s and {times[1]:g} s")
    elif plans != [None, None]:
        found.append("planned: only one of them was")
    if (before.witnesses.app is None) != (after.witnesses.app is None):
        found.append("witnesses: only one of them has the app's own count")
    for name in before.machine.__struct_fields__:
        one, other = getattr(before.machine, name), getattr(after.machine, name)
        if one != other:
            found.append(f"{name.replace('_', ' ')}: {one} and {other}")
    return found


def _paced(result: Result) -> str:
    """The rate that a run was asked to keep, in words; a run that held N kept none."""
    paced = result.open_loop
    return "none" if paced is None else f"{paced.rate:,g}/s {paced.arrivals}"


def mean_interval(seconds: Sequence[float]) -> tuple[float, float] | None:
    """(mean, variance of that mean) of a hold's seconds; None where they are too few."""
    if len(seconds) < BATCHES:
        return None
    edges = [len(seconds) * n // BATCHES for n in range(BATCHES + 1)]
    means = [fmean(seconds[a:b]) for a, b in pairwise(edges)]
    return fmean(seconds), variance(means) / BATCHES


def welch(one: tuple[float, float], other: tuple[float, float]) -> Interval:
    """The difference of two means of batches with its interval: (mean, variance of it) each."""
    spread = one[1] + other[1]
    difference = other[0] - one[0]
    if spread <= 0:
        return Interval(difference, difference, difference)
    parts = sum(part[1] ** 2 / (BATCHES - 1) for part in (one, other))
    half = t_quantile((1 + CONFIDENCE) / 2, spread**2 / parts) * math.sqrt(spread)
    return Interval(difference, difference - half, difference + half)


def t_quantile(p: float, freedom: float) -> float:
    """Student's quantile by its expansion in the normal's (Abramowitz and Stegun, 26.7.5).

    Within 0.3 % for 4 degrees of freedom at 99.5 %, better for more.
    """
    x = NormalDist().inv_cdf(p)
    terms = (
        (x**3 + x) / 4,
        (5 * x**5 + 16 * x**3 + 3 * x) / 96,
        (3 * x**7 + 19 * x**5 + 17 * x**3 - 15 * x) / 384,
        (79 * x**9 + 776 * x**7 + 1482 * x**5 - 1920 * x**3 - 945 * x) / 92160,
    )
    return x + sum(term / freedom ** (n + 1) for n, term in enumerate(terms))


def percentile_interval(buckets: dict[int, int], percent: float) -> Interval | None:
    """A percentile in seconds between two order statistics; None where its ranks are not there.

    Ranks n p -+ z sqrt(n p (1 - p)): the binomial's quantiles, of which the normal approximation
    is good where both expected counts are 5 or more.
    """
    count, p = sum(buckets.values()), percent / 100
    if count * min(p, 1 - p) < 5:
        return None
    half = NormalDist().inv_cdf((1 + CONFIDENCE) / 2) * math.sqrt(count * p * (1 - p))
    low, high = math.floor(count * p - half), math.ceil(count * p + half) + 1
    if low < 1 or high > count:
        return None
    middle = _at_rank(buckets, math.ceil(count * p))
    start, end = _at_rank(buckets, low), _at_rank(buckets, high)
    value = (lowest_ns(middle) + lowest_ns(middle + 1)) / 2e9
    return Interval(value, lowest_ns(start) / 1e9, lowest_ns(end + 1) / 1e9)


def same_share(one: int, of_one: int, other: int, of_other: int) -> float:
    """The chance of counts at least so unequal where both have one share: exact, two-sided.

    `one` of `of_one` trials and `other` of `of_other`. 1 where nothing was counted. The tails are
    summed in logarithms, so counts may be large.
    """
    total, share = one + other, of_other / (of_one + of_other) if of_one + of_other else 0.5
    if total == 0 or not 0 < share < 1:
        return 1.0
    expected = total * share
    if other >= expected:
        tail = sum(_binomial(n, total, share) for n in _from(other, total, 1))
    else:
        tail = sum(_binomial(n, total, share) for n in _from(other, total, -1))
    return min(1.0, 2 * tail)


def _from(start: int, total: int, step: int) -> range:
    """Counts of a tail; past 20 standard deviations (at most 10 sqrt(total)) they weigh nothing."""
    most = 50 + math.ceil(10 * math.sqrt(total))
    return (
        range(start, min(total, start + most) + 1)
        if step > 0
        else range(max(0, start - most), start + 1)
    )


def _binomial(n: int, total: int, share: float) -> float:
    ways = math.lgamma(total + 1) - math.lgamma(n + 1) - math.lgamma(total - n + 1)
    return math.exp(ways + n * math.log(share) + (total - n) * math.log1p(-share))


def _at_rank(buckets: dict[int, int], rank: int) -> int:
    reached = 0
    for index in sorted(buckets):
        reached += buckets[index]
        if reached >= rank:
            return index
    return max(buckets)


def _verdict(before: Result, after: Result) -> Figure:
    """Held beats not held; void says nothing."""
    codes = [EXIT_CODES[result.verdict] for result in (before, after)]
    change: Change = "noise"
    if "void" in (before.verdict, after.verdict):
        change = "unknown"
    elif codes[0] != codes[1]:
        change = "better" if codes[1] < codes[0] else "worse"
    why = f"{before.verdict}, then {after.verdict}; compared as it is"
    return Figure("in flight", "requests", before.held, after.held, change, why)


def _failed(before: Result, after: Result) -> Figure:
    """Requests that failed, of those that were sent."""
    sent = [result.totals.sent for result in (before, after)]
    chance = same_share(before.failed, sent[0], after.failed, sent[1])
    share = [
        count / max(n, 1) for count, n in zip((before.failed, after.failed), sent, strict=True)
    ]
    change: Change = "noise"
    if chance < 1 - CONFIDENCE:
        change = "worse" if share[1] > share[0] else "better"
    why = f"of {sent[0]:,} and {sent[1]:,} sent; by chance alone {chance:.2g}"
    return Figure("failed", "requests", before.failed, after.failed, change, why)


def _means(before: Result, after: Result) -> list[Figure]:
    """Means over the hold: answers a second (more is better), memory and processor (less is)."""
    memory, processor = (
        abs(part(after) - part(before)) for part in (_unexplained_bytes, _unexplained_busy)
    )
    return [
        _mean(before, after, "answers", "rate", "a second", good=1, wider=0.0),
        _mean(before, after, "memory", "memory_bytes", "bytes", good=-1, wider=memory),
        _mean(before, after, "processor", "cpu_busy", "share", good=-1, wider=processor),
    ]


def _mean(
    before: Result, after: Result, name: str, column: str, unit: str, *, good: int, wider: float
) -> Figure:
    one, other = (mean_interval(_hold(result, column)) for result in (before, after))
    if one is None or other is None:
        values = [None if found is None else found[0] for found in (one, other)]
        why = f"a hold of under {BATCHES} seconds shows no noise of its own"
        return Figure(name, unit, values[0], values[1], "unknown", why)
    seen = welch(one, other)
    change, why = _judged(
        one[0], Interval(seen.value, seen.low - wider, seen.high + wider), good, unit
    )
    return Figure(name, unit, one[0], other[0], change, why)


def _unexplained_bytes(result: Result) -> float:
    """Growth of the whole machine's memory that no group of the run and no kernel memory is."""
    return result.memory.other - sum(result.memory.groups.values())


def _unexplained_busy(result: Result) -> float:
    """The part of all cores that was busy for something else than the run's processes."""
    cpu, whole_s = result.cpu, result.hold_s * result.machine.cores
    own_s = cpu.generator_s + cpu.workers_s + sum(cpu.groups_s.values())
    return cpu.busy - own_s / whole_s if whole_s > 0 else 0.0


def _judged(base: float, difference: Interval, good: int, unit: str) -> tuple[Change, str]:
    """Whether a difference is beyond its interval and beyond what runs differ by anyway."""
    least, most = (shown(edge, unit) for edge in (difference.low, difference.high))
    why = f"difference between {least} and {most} ({CONFIDENCE:.0%})"
    if difference.low <= 0 <= difference.high:
        return "noise", why
    if abs(difference.value) < SAME * abs(base):
        return "noise", f"{why}, under {SAME:.0%} of the base"
    return ("better" if difference.value * good > 0 else "worse"), why


def _percentiles(before: Result, after: Result) -> list[Figure]:
    found = []
    for kind in ("response", "service"):
        for point in POINTS:
            one, other = (
                percentile_interval(getattr(result.histograms, kind), point)
                for result in (before, after)
            )
            found.append(_percentile(f"{kind} {point:g} %", one, other))
    return found


def _percentile(name: str, one: Interval | None, other: Interval | None) -> Figure:
    if one is None or other is None:
        values = [None if part is None else part.value for part in (one, other)]
        why = "too few answers to know it"
        return Figure(name, "seconds", values[0], values[1], "unknown", why)
    why = f"{_span(one)}, then {_span(other)} ({CONFIDENCE:.0%})"
    change: Change = "better" if other.value < one.value else "worse"
    if one.low <= other.high and other.low <= one.high:
        change = "noise"
    elif abs(other.value - one.value) < SAME * one.value:
        change, why = "noise", f"{why}, under {SAME:.0%} of the base"
    return Figure(name, "seconds", one.value, other.value, change, why)


def _span(interval: Interval) -> str:
    return f"{format_seconds(interval.low)} to {format_seconds(interval.high)}"


def _hold(result: Result, column: str) -> list[float]:
    """A column's values of the hold: each moment of it is of the second before."""
    values: list[float] = getattr(result.series, column)
    pairs = zip(values, result.series.phase, strict=True)
    return [value for value, phase in pairs if phase == "hold"]


def shown(value: float | None, unit: str) -> str:
    """A figure as people read it."""
    if value is None:
        return "-"
    if unit == "bytes":
        return format_bytes(value)
    if unit == "share":
        return f"{value:.1%}"
    if unit == "seconds":
        return format_seconds(value)
    return f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.3g}"
