"""Comparing two results: what is noise stays noise, what is slower is found, unlike runs are told.

Rates of false alarms and of what is found are counted over seeded simulations of whole runs.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable

import pytest

from holdfast.load.histogram import index_of
from holdfast.proof import result as results
from holdfast.proof.compare import (
    CONFIDENCE,
    Figure,
    compare,
    mean_interval,
    percentile_interval,
    same_share,
    t_quantile,
    unlike,
)
from holdfast.proof.result import Result
from tests.proof.reported import by_rate, held, never_began, replace, series

RUNS = 300
HOLD_S = 40


def simulated(draw: random.Random, slower: float = 1.0, alike: float = 0.5) -> Result:
    """A run of HOLD_S seconds whose rate wanders (each second `alike` the one before) by 5 %.

    `slower`: answers come at 1 / slower of the rate and take so much longer.
    """
    column, wander = [], 0.0
    for _ in range(HOLD_S + 4):
        wander = alike * wander + math.sqrt(1 - alike**2) * draw.gauss(0, 0.05)
        column.append(1000 / slower * (1 + wander))
    times: dict[int, int] = {}
    for _ in range(2000):
        index = index_of(int(draw.lognormvariate(0.0, 0.3) * slower * 1e9))
        times[index] = times.get(index, 0) + 1
    moments = replace(series(2, HOLD_S, 2), rate=column)
    return held(series=moments, histograms=results.Histograms(times, times, {}))


def shares(
    draw: random.Random, runs: int, slower: float, wanted: Callable[[Figure], bool]
) -> dict[str, float]:
    """The part of `runs` pairs in which each figure is `wanted`."""
    found: dict[str, int] = {}
    for _ in range(runs):
        for figure in compare(simulated(draw), simulated(draw, slower)).figures:
            found[figure.name] = found.get(figure.name, 0) + wanted(figure)
    return {name: count / runs for name, count in found.items()}


@pytest.mark.slow
def test_two_runs_of_one_thing_are_noise(seed: int) -> None:
    """Of runs from one distribution at most 4 % of pairs are called different in any figure."""
    alarms = shares(random.Random(seed), RUNS, 1.0, lambda f: f.change in ("better", "worse"))
    assert {name: share for name, share in alarms.items() if share > 0.04} == {}


@pytest.mark.slow
def test_ten_percent_slower_is_found(seed: int) -> None:
    """Of pairs whose second run is 10 % slower the rate and the percentiles mostly say so."""
    found = shares(random.Random(seed), RUNS // 3, 1.1, lambda f: f.change == "worse")
    assert found["answers"] >= 0.8
    assert found["response 50 %"] >= 0.95
    assert found["response 90 %"] >= 0.85
    assert found["memory"] == found["processor"] == found["failed"] == 0.0


def of(before: Result, after: Result) -> dict[str, Figure]:
    return {figure.name: figure for figure in compare(before, after).figures}


def test_a_result_is_no_different_from_itself() -> None:
    """Every figure is noise, nothing is unlike, and the exit code is 0."""
    same = compare(held(), held())
    assert {figure.change for figure in same.figures} == {"noise"}
    assert (same.unlike, same.exit_code) == ([], 0)


def test_faster_is_better_and_slower_is_worse(seed: int) -> None:
    """The same two runs in either order give opposite answers, and only worse is an exit code."""
    draw = random.Random(seed)
    quick, slow = simulated(draw), simulated(draw, 1.3)
    for name in ("answers", "response 50 %", "service 99 %"):
        assert (of(quick, slow)[name].change, of(slow, quick)[name].change) == ("worse", "better")
    assert (compare(quick, slow).exit_code, compare(slow, quick).exit_code) == (1, 0)


def test_less_than_runs_differ_by_is_noise() -> None:
    """A difference that is sure but small is called noise, and says that it is small."""
    rate = [1000.0] * 25
    base = held(series=replace(series(), rate=rate))
    near = held(series=replace(series(), rate=[980.0] * 25))
    far = held(series=replace(series(), rate=[960.0] * 25))
    assert of(base, near)["answers"].change == "noise"
    assert "under 3% of the base" in of(base, near)["answers"].why
    assert of(base, far)["answers"].change == "worse"


def test_what_other_programs_took_is_not_the_runs() -> None:
    """Memory that grew by what no part of the run explains is noise; that of the workers is not."""
    grown = [size + (80 << 20) for size in series().memory_bytes]
    after = held(series=replace(series(), memory_bytes=grown))
    others = replace(after.memory, other=after.memory.other + (80 << 20))
    assert of(held(), after)["memory"].change == "worse"
    assert of(held(), replace(after, memory=others))["memory"].change == "noise"


def test_a_verdict_is_compared_as_it_is() -> None:
    """Held and then not held is worse, the other way better; failures are weighed exactly."""
    fell = held(verdict="not held", held=1990)
    assert of(held(), fell)["in flight"].change == "worse"
    assert of(fell, held())["in flight"].change == "better"
    assert compare(held(), fell).exit_code == 1
    few, many = (held(failed=count) for count in (3, 40))
    assert of(held(), few)["failed"].change == "noise"
    assert of(held(), many)["failed"].change == "worse"


def test_a_void_run_compares_with_nothing() -> None:
    """Beside a void run every figure is unknown, and the exit code is void's."""
    void = held(verdict="void", failed=1000)
    compared = compare(held(), void)
    assert {figure.change for figure in compared.figures} == {"unknown"}
    assert compared.exit_code == 3


def test_a_run_without_hold_or_answers_has_unknown_figures() -> None:
    """Where a mean or a percentile is missing its change is unknown, with the reason."""
    figures = of(held(), never_began())
    assert figures["in flight"].change == "worse"
    assert figures["answers"].change == figures["response 50 %"].change == "unknown"
    assert "too few answers" in figures["response 50 %"].why


def test_unlike_runs_are_told() -> None:
    """What was asked, the plan, the machine and the versions are compared by name."""
    other = held(
        asked=5000,
        hold_s=90.0,
        planned=None,
        witnesses=results.Least(2080, None, 2080),
        machine=results.About(4.0, 1 << 35, "6.1", "3.12", "0.1", "a model"),
    )
    told = [line.split(":")[0] for line in unlike(held(), other)]
    wanted = ["asked", "hold_s", "planned", "witnesses", "cores", "memory bytes", "python"]
    assert told == wanted
    plan = held().planned
    assert plan is not None
    slow = held(planned=replace(plan, mean_time_s=4.0))
    assert unlike(held(), slow) == ["mean time: 2 s and 4 s"]


@pytest.mark.parametrize(
    ("p", "freedom", "value"),
    [(0.995, 4, 4.604), (0.995, 9, 3.250), (0.995, 18, 2.878), (0.975, 10, 2.228), (0.5, 5, 0.0)],
)
def test_students_quantile_is_that_of_the_tables(p: float, freedom: int, value: float) -> None:
    """The expansion agrees with the printed tables within 0.3 %."""
    assert t_quantile(p, freedom) == pytest.approx(value, rel=3e-3, abs=1e-9)


def test_counts_are_compared_exactly() -> None:
    """Small cases by hand: five heads of five, nothing at all, and counts in the millions."""
    assert same_share(0, 100, 5, 100) == pytest.approx(2 / 2**5)
    assert same_share(5, 100, 0, 100) == pytest.approx(2 / 2**5)
    assert same_share(0, 10, 0, 10) == same_share(1, 0, 0, 0) == 1.0
    assert same_share(1_000_000, 10**7, 1_000_000, 10**7) == pytest.approx(1.0, abs=2e-3)
    assert same_share(1_000_000, 10**7, 1_010_000, 10**7) < 1e-9


def test_a_percentile_lies_in_its_interval(seed: int) -> None:
    """The interval of a sample's percentile holds the true one in about 99 of 100 samples."""
    draw, inside = random.Random(seed), 0
    for _ in range(400):
        buckets: dict[int, int] = {}
        for _ in range(200):
            index = index_of(int(draw.expovariate(1.0) * 1e9))
            buckets[index] = buckets.get(index, 0) + 1
        found = percentile_interval(buckets, 90)
        assert found is not None
        inside += found.low <= math.log(10) <= found.high
    assert inside / 400 >= CONFIDENCE - 0.02


def test_too_few_answers_have_no_percentile() -> None:
    """Four answers beyond the percentile are too few; so is an empty histogram."""
    assert percentile_interval({100: 400}, 99) is None
    assert percentile_interval({}, 50) is None
    assert percentile_interval({100: 5000}, 99) is not None


def test_only_the_hold_is_compared() -> None:
    """What the opening and the letting go did changes no mean."""
    moments = series(opening=8, hold=20, letting=8)
    wild = [n if p == "hold" else 9e9 for n, p in zip(moments.rate, moments.phase, strict=True)]
    changed = of(held(series=moments), held(series=replace(moments, rate=wild)))["answers"]
    assert (changed.before, changed.change) == (changed.after, "noise")


def test_batches_see_that_seconds_are_alike() -> None:
    """Seconds that repeat the one before count as one: the mean's noise is not made smaller."""
    values = [float(n // 20 * 2) + 0.5 for n in range(100)]
    found = mean_interval(values)
    assert found is not None
    mean, noise = found
    assert (mean, noise) == (4.5, pytest.approx(10 / 5))
    assert mean_interval([1.0] * 4) is None


def test_a_rate_that_was_kept_is_unlike_a_number_that_was_held() -> None:
    """Runs of different kinds are not compared silently."""
    assert "by rate: none and 1,000/s poisson" in unlike(held(), by_rate())
    assert not unlike(by_rate(), by_rate())
