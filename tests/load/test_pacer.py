"""When requests are due, as plain numbers."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.load.pacer import due_times
from holdfast.load.plan import PORTION, TICK_EVERY_NS, TICKERS, allowed, share
from tests.load.servers import load_plan

ARRIVALS = st.sampled_from(["constant", "poisson"])


def times(plan_changes: dict[str, object]) -> list[list[int]]:
    plan = load_plan(80, clients=100, **plan_changes)
    return [list(due_times(plan, index)) for index in range(plan.processes)]


@given(ARRIVALS, st.floats(1, 3_000), st.floats(0.1, 2), st.integers(1, 9), st.integers(0, 99))
def test_all_that_was_asked_is_due_once(
    arrivals: str, rate: float, for_s: float, processes: int, seed: int
) -> None:
    """The processes' times rise, lie in the span, and are together as many as asked."""
    asked = {"arrivals": arrivals, "rate": rate, "for_s": for_s, "processes": processes}
    found = times({**asked, "seed": seed})
    assert sum(map(len, found)) == round(rate * for_s)
    for one in found:
        assert all(a <= b for a, b in pairwise(one))
        assert all(0 <= at <= for_s * 1e9 + 1e9 / rate for at in one)
    assert found == times({**asked, "seed": seed})


def test_constant_arrivals_come_in_turns() -> None:
    """At 100 a second two processes send every 20 ms each, 10 ms apart."""
    found = times({"rate": 100.0, "for_s": 0.05, "processes": 2})
    assert found == [[0, 20_000_000, 40_000_000], [10_000_000, 30_000_000]]


def test_poisson_arrivals_are_spread_like_lots() -> None:
    """Half of the gaps are over ln 2 of the mean, and other seeds give other times."""
    asked = {"arrivals": "poisson", "rate": 10_000.0, "for_s": 1.0}
    (found,) = times(asked)
    gaps = [b - a for a, b in pairwise(found)]
    assert sum(gap > 69_315 for gap in gaps) == pytest.approx(5_000, abs=250)  # 5 sigma
    assert found != times({**asked, "seed": 1})[0]


@given(st.integers(0, 5_000), st.integers(1, 5_000), st.integers(1, 60))
def test_clients_are_allowed_in_portions(wanted: int, whole: int, parts: int) -> None:
    """No more than wanted are allowed, none is taken back, and at last all are."""
    dealt = [allowed(wanted, whole, index, parts) for index in range(parts)]
    more = [allowed(wanted + PORTION, whole, index, parts) for index in range(parts)]
    assert sum(dealt) <= wanted
    assert all(a <= b for a, b in zip(dealt, more, strict=True))
    assert [allowed(whole, whole, n, parts) for n in range(parts)] == [
        share(whole, n, parts) for n in range(parts)
    ]


@pytest.mark.parametrize("processes", [1, 8, 9, 57, 1_000])
def test_waking_costs_no_more_where_processes_are_many(processes: int) -> None:
    """However many they are, together they wake no more often than eight do each 10 ms."""
    tick_ns = load_plan(80, processes=processes).tick_ns
    assert processes / tick_ns <= TICKERS / TICK_EVERY_NS
