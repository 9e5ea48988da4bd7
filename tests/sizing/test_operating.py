"""What a running stack has room for: workers that drain, slots that are added, what they hold."""

from __future__ import annotations

import msgspec
import pytest

from holdfast.model.chance import fits, fullest
from holdfast.model.path import Demand, Host, Kind, Path
from holdfast.programs.catalog import path_limits, path_walls
from holdfast.sizing.layout import EdgeLayout
from holdfast.sizing.operating import drains, most_slots, second_worker_bytes, sure_by_slots
from holdfast.sizing.path import size
from tests.sizing.test_law_1 import EDGES, behind, host

GIB = 2**30


def demand(in_flight: int) -> Demand:
    return Demand(in_flight, (Kind("k", 1.0, 20.0),), idle=100, burst=in_flight // 20)


def sized(in_flight: int, edge: EdgeLayout | None = None, here: Host | None = None) -> Path:
    return size(demand(in_flight), here or host(), behind(edge))


def taken(path: Path, asked: Demand) -> float:
    """Bytes of the whole plan."""
    (limit,) = (limit for limit in path_limits(path, asked) if limit.resource == "memory")
    return limit.own + limit.per_request * asked.in_flight + limit.per_idle * asked.idle


def test_with_memory_to_spare_all_workers_drain_at_once() -> None:
    """And never more than there are."""
    path = sized(50_000)
    assert drains(path, demand(50_000)).number == path.hop("workers").processes


@pytest.mark.parametrize("edge", EDGES)
@pytest.mark.parametrize("in_flight", [2_000, 50_000])
@pytest.mark.parametrize("spare", [-0.5, 0.0, 0.9, 1.1, 2.5, 40.0])
def test_what_drains_fits_in_what_the_plan_leaves(
    spare: float, in_flight: int, edge: EdgeLayout | None
) -> None:
    """So many second workers fit, one more does not; at least one drains, and it is said if even
    that is too much."""
    asked, path = demand(in_flight), sized(in_flight, edge)
    each = second_worker_bytes(path, asked)
    left = spare * each
    values = tuple(
        msgspec.structs.replace(value, value=taken(path, asked) + left)
        if value.setting == "memory_available"
        else value
        for value in path.hosts[0].values
    )
    tight = msgspec.structs.replace(
        path, hosts=(msgspec.structs.replace(path.hosts[0], values=values),)
    )
    found = drains(tight, asked)
    slots = path.hop("workers").processes
    assert 1 <= found.number <= slots
    assert found.number == 1 or found.number * each <= left + 1
    assert found.number == slots or (found.number + 1) * each > left - 1
    assert ("more than there is room for" in found.why) == (left < each)


def test_twice_as_many_slots_unless_somebody_says() -> None:
    """Or as many as asked, never fewer than planned."""
    path, asked = sized(50_000), demand(50_000)
    planned = path.hop("workers").processes
    assert most_slots(path, asked).number == 2 * planned
    assert most_slots(path, asked, 3 * planned).number == 3 * planned
    assert most_slots(path, asked, 1).number == planned


def test_no_more_slots_than_memory_is_for() -> None:
    """And the reason says what was left."""
    asked = demand(2_000)
    path = sized(2_000, here=host(memory_available=GIB))
    most = most_slots(path, asked, 10_000)
    assert most.number < 200
    assert "MiB left" in most.why


@pytest.mark.parametrize("edge", EDGES)
def test_fewer_workers_hold_less(edge: EdgeLayout | None) -> None:
    """What is planned holds N; each worker fewer holds no more; those of the plan agree with it."""
    asked, path = demand(50_000), sized(50_000, edge)
    planned = path.hop("workers").processes
    sure = sure_by_slots(path, asked, planned)
    assert len(sure) == planned
    assert sure[-1] == min(holds.sure for _, holds in path_walls(path, asked)) >= 50_000
    assert list(sure) == sorted(sure)
    assert sure[0] < 50_000


def test_what_slots_hold_is_known_in_few_steps() -> None:
    """Law 9: of each number of slots the chances are looked at 50 times, not 50 times over."""
    asked, path, most = demand(50_000), sized(50_000), 200
    fits.cache_clear()
    fullest.cache_clear()
    assert len(sure_by_slots(path, asked, most)) == most
    assert fits.cache_info().misses <= 50 * most
    assert fullest.cache_info().misses <= most
