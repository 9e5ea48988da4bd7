"""What who starts a stack grants it: enough for every process, and the plan stays what it was."""

from __future__ import annotations

import msgspec
import pytest

from holdfast.model.path import Demand, Kind
from holdfast.sizing import service
from holdfast.sizing.layout import EdgeLayout
from holdfast.sizing.path import size
from tests.sizing.test_law_1 import EDGES, LAYOUT, behind, host


def demand(in_flight: int) -> Demand:
    return Demand(in_flight, (Kind("k", 1.0, 20.0),), burst=max(1, in_flight // 20))


@pytest.mark.parametrize("edge", EDGES)
@pytest.mark.parametrize("in_flight", [10, 2_000, 50_000])
def test_a_plan_with_what_it_is_granted_is_the_same(
    edge: EdgeLayout | None, in_flight: int
) -> None:
    """With a hard limit of so many descriptors as many workers, and edges, hold N."""
    asked, layout = demand(in_flight), behind(edge)
    path = size(asked, host(), layout)
    granted = service.files(path, path.hop("workers").processes)
    again = size(asked, host(nofile_hard=int(granted.number)), layout)
    assert [hop.processes for hop in again.hops] == [hop.processes for hop in path.hops]


def test_a_supervisor_needs_more_than_its_smallest_workers() -> None:
    """For many workers with a few requests each it is the process with most descriptors."""
    path = size(demand(10), host(), LAYOUT)
    assert service.files(path, 100).number > service.files(path, 1).number
    assert "a process of workers" in service.files(size(demand(9_000), host(), LAYOUT), 2).why


def test_every_thread_is_a_task() -> None:
    """Of an engine with threads, of HAProxy's processes, and what apps start by themselves."""
    path = size(demand(3_000), host(), LAYOUT)
    threads = size(demand(3_000), host(), msgspec.structs.replace(LAYOUT, engine="gthread"))
    pool = threads.hop("workers").get("threads")
    assert pool is not None
    assert service.tasks(path, 2).number < service.tasks(path, 3).number
    assert service.tasks(threads, 3).number > 3 * pool.number
