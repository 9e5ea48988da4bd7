"""The arithmetic of holding: chances, Erlang C, order of the walls, bounds that always hold."""

from __future__ import annotations

import math
import random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.model.chance import erlang_c, fits_by, fullest, fullest_by, mean_wait
from holdfast.model.holding import UNLIMITED, holds, walls
from holdfast.model.limit import Holds
from holdfast.model.path import Demand, Kind, Spread
from tests.model.test_hard_cases import PLAIN, limit

SIX_SIGMA = 9.866e-10


def test_the_fullest_of_four_hashed_sockets_is_the_designs_figure() -> None:
    """50,000 over 4 at six sigma: 13,081 by the normal curve, 3 more by the binomial itself."""
    normal = 12_500 + 6 * math.sqrt(50_000 * 0.25 * 0.75)
    assert math.ceil(normal) == 13_081
    assert fullest(50_000, 4, SIX_SIGMA) == pytest.approx(13_081, abs=5)


@pytest.mark.parametrize(("items", "bins"), [(40, 4), (2_000, 3), (10_000, 16)])
def test_the_quantile_is_where_the_tail_is_the_miss(items: int, bins: int) -> None:
    """Above the quantile at 1 in 100 fall about 1 in 100 of drawn sockets, and no more."""
    draw = random.Random(7)
    ceiling = fullest(items, bins, 0.01)
    runs = 400
    over = sum(sum(draw.random() * bins < 1 for _ in range(items)) > ceiling for _ in range(runs))
    assert over <= runs * 0.03
    assert fullest(items, bins, 0.5) < ceiling < fullest(items, bins, 1e-9)


@pytest.mark.parametrize(("items", "bins"), [(7, 2), (60, 3), (400, 7), (2_000, 4)])
def test_the_quantile_is_the_exact_one(items: int, bins: int) -> None:
    """The smallest number whose exact tail, summed in whole numbers, is at most the miss."""
    weights = [math.comb(items, k) * (bins - 1) ** (items - k) for k in range(items + 1)]
    for miss in (1e-2, 1e-6, 1e-9):
        above = (k for k in range(items + 1) if sum(weights[k + 1 :]) / bins**items <= miss)
        assert fullest(items, bins, miss) == next(above)


@given(
    st.integers(0, 30_000),
    st.one_of(st.just(1.0), st.floats(1.0, 120.0)),
    st.integers(1, 300),
    st.sampled_from((0.01, 1e-6, 1e-9)),
    st.integers(-3, 3),
)
def test_whether_it_fits_is_known_without_the_quantile(
    items: int, together: float, bins: int, miss: float, beside: int
) -> None:
    """What is at most a room fits in it, and nothing else does: right beside the quantile too."""
    most = fullest_by(items, together, bins, miss)
    for room in {max(0, most + beside), most // 2, items}:
        assert fits_by(items, together, bins, miss, room) == (most <= room)


def test_the_quantile_of_any_number() -> None:
    """A thousand billion over 4 are as quickly counted as 50,000: at six sigma, as all large."""
    normal = 2.5e11 + 6 * math.sqrt(1e12 * 0.25 * 0.75)
    assert fullest(10**12, 4, SIX_SIGMA) == pytest.approx(normal, rel=1e-9)


def test_erlang_c_is_the_textbooks() -> None:
    """10 servers offered 8 erlangs make 40.9 % wait; one server waits by utilisation."""
    assert erlang_c(10, 8) == pytest.approx(0.4092, abs=1e-4)
    assert erlang_c(1, 0.3) == pytest.approx(0.3)
    assert mean_wait(1, 0.5) == pytest.approx(1.0)
    assert mean_wait(4, 4) == math.inf


def test_unlimited_is_a_value() -> None:
    """A limit without a capacity, or one that no request uses, is never the narrowest."""
    assert holds(limit("none", math.inf, per_request=1), PLAIN).best == UNLIMITED
    assert holds(limit("unused", 5, per_request=0), PLAIN).sure == UNLIMITED


def test_each_spread_has_its_own_sure() -> None:
    """Of 4 x 100: all when a full process leaves work, less 4 by least connections, 100 by race."""
    sure = {
        spread: holds(limit("cap", 100, per_request=1, scopes=4, spread=spread), PLAIN).sure
        for spread in Spread
    }
    assert sure[Spread.LEAVES] == 400
    assert sure[Spread.LEAST] == 396
    assert sure[Spread.RACE] == 100
    assert 200 < sure[Spread.HASH] < 300
    assert holds(limit("cap", 100, per_request=1), PLAIN).sure == 99


limits = st.builds(
    limit,
    st.just("any"),
    st.integers(0, 100_000),
    per_request=st.floats(0.1, 5),
    scopes=st.integers(1, 50),
    own=st.integers(0, 100),
    per_idle=st.floats(0, 2),
    yields=st.booleans(),
    onset=st.floats(0.1, 1),
    spread=st.sampled_from(Spread),
    bounds=st.sampled_from(("in_flight", "rate")),
    servers=st.integers(0, 20),
)
demands = st.builds(
    Demand,
    st.integers(1, 10**6),
    st.just((Kind("k", 1.0, 2.0),)),
    idle=st.integers(0, 10_000),
)


@given(limits, demands)
def test_sure_is_at_most_onset_is_at_most_best(any_limit: object, demand: Demand) -> None:
    """Whatever the values: 0 <= sure <= onset <= best."""
    found = holds(any_limit, demand)  # type: ignore[arg-type]
    assert 0 <= found.sure <= found.onset <= found.best <= UNLIMITED


@given(st.lists(limits, min_size=1, max_size=6), demands)
def test_the_narrowest_comes_first(several: list[object], demand: Demand) -> None:
    """Walls are in order, none is lost, and each says what its own limit holds."""
    found = walls(several, demand)  # type: ignore[arg-type]
    assert [wall[1] for wall in found] == sorted(wall[1] for wall in found)
    assert len(found) == len(several)
    assert found[0][1] == min(holds(one, demand) for one in several)  # type: ignore[arg-type]


@given(limits, demands)
def test_less_capacity_never_holds_more(any_limit: object, demand: Demand) -> None:
    """Taking away a tenth of the capacity raises none of the three numbers."""
    less = msgspec.structs.replace(any_limit, capacity=any_limit.capacity * 0.9)  # type: ignore[arg-type,attr-defined]
    before, after = holds(any_limit, demand), holds(less, demand)  # type: ignore[arg-type]
    assert after.sure <= before.sure
    assert after.best <= before.best


def test_holds_compare_by_what_is_sure_first() -> None:
    """Of two limits the one with the smaller sure number is narrower, whatever its best."""
    assert Holds(359, 718, 766) < Holds(360, 360, 360)
