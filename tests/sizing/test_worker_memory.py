"""What a worker may take of memory before it is replaced: all of them together fit on the host."""

from __future__ import annotations

import msgspec
import pytest

from holdfast.model.path import Host
from holdfast.sizing.operating import LEAST_MARGIN, second_worker_bytes, worker_memory
from tests.sizing.test_law_1 import EDGES, EdgeLayout, host
from tests.sizing.test_operating import GIB, demand, sized, taken

FEW = 2_000


@pytest.mark.parametrize("edge", EDGES)
@pytest.mark.parametrize("more", [0, 3])
def test_workers_that_are_all_so_large_use_the_memory_up(
    edge: EdgeLayout | None, more: int
) -> None:
    """With one more beside them, and with those that may be added, they fill what there is."""
    path, asked = sized(FEW, edge), demand(FEW)
    slots = path.hop("workers").processes + more
    each = second_worker_bytes(path, asked)
    found = worker_memory(path, asked, slots)
    base = 3e7 * more
    filled = taken(path, asked) + base + each + slots * (found.number - each)
    assert filled == pytest.approx(23 * GIB, rel=1e-6)
    assert found.number > each
    assert f"left / {slots} workers" in found.why


def test_a_worker_as_planned_is_not_too_large() -> None:
    """Where a plan leaves nothing, a worker may still be wrong by as much as a plan may."""
    path, asked = sized(FEW), demand(FEW)
    tight = _with_memory(path.hosts[0], taken(path, asked))
    path = msgspec.structs.replace(path, hosts=(tight,))
    found = worker_memory(path, asked, path.hop("workers").processes)
    assert found.number == int(LEAST_MARGIN * second_worker_bytes(path, asked))
    assert found.why.endswith("which is less")


def test_nobody_is_judged_by_memory_that_nobody_knows() -> None:
    """Without the host's memory there is no limit."""
    path, asked = sized(FEW), demand(FEW)
    path = msgspec.structs.replace(path, hosts=(_with_memory(host(), None),))
    assert worker_memory(path, asked, 2).number == 0


def _with_memory(here: Host, available: float | None) -> Host:
    values = tuple(
        msgspec.structs.replace(value, value=available)
        if value.setting == "memory_available"
        else value
        for value in here.values
    )
    return msgspec.structs.replace(here, values=values)
