"""How a load is dealt out to processes and addresses."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.load.plan import (
    IDLE_OCTET,
    MOST_SOCKETS,
    OCCUPIED_OCTET,
    processes_needed,
    room,
    shares,
    source_address,
)
from holdfast.model.errors import BadInput
from tests.load.servers import load_plan

PORTS = (32_768, 60_999)


@given(
    st.integers(0, 300_000),
    st.integers(0, 50_000),
    st.integers(100, 100_000),
    st.sampled_from([PORTS, (1_024, 65_535), (40_000, 40_999)]),
)
def test_every_client_has_a_place(
    clients: int, idle: int, nofile: int, ports: tuple[int, int]
) -> None:
    """The processes hold all clients together, none of them more than it can; fewer could not."""
    count = processes_needed(clients, idle, nofile, ports)
    most = room(nofile, ports)
    dealt = [shares(clients, idle, index, count) for index in range(count)]
    assert (sum(a for a, _ in dealt), sum(b for _, b in dealt)) == (clients, idle)
    assert max(a + b for a, b in dealt) <= most <= MOST_SOCKETS
    assert count == 1 or clients + idle > most * (count - 1)


def test_no_room_is_said() -> None:
    """A limit that leaves no descriptor for a client is bad input."""
    with pytest.raises(BadInput, match="nofile 20"):
        processes_needed(1, 0, 20, PORTS)


def test_each_process_has_its_own_addresses() -> None:
    """No two of 62,500 processes share a source address, and the octet tells what is idle."""
    octets = (OCCUPIED_OCTET, IDLE_OCTET)
    found = {source_address(octet, index) for octet in octets for index in range(62_500)}
    assert len(found) == 125_000
    assert source_address(IDLE_OCTET, 250) == "127.200.1.1"


@pytest.mark.parametrize(
    "changes",
    [
        {"address": "10.0.0.1"},
        {"processes": 0},
        {"clients": -1},
        {"ids": 0},
        {"path": "items"},
        {"path": "/a b"},
        {"host": "x\r\ny: z"},
        {"idle_path": "/ä"},
    ],
)
def test_a_plan_that_cannot_be_carried_out_is_refused(changes: dict[str, object]) -> None:
    """A plan that no fleet can carry out is bad input, and says why."""
    with pytest.raises(BadInput):
        load_plan(8080, **changes).check()
