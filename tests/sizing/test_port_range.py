"""Port lists, and ranges that are as narrow as does and collide with no listener."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.programs.ports import format_ports, parse_ports, usable
from holdfast.sizing.port_range import Range, widened, widest

ports = st.integers(1, 65_535)
sets = st.frozensets(ports, max_size=30)


@given(sets)
def test_a_port_list_is_read_as_it_was_written(found: frozenset[int]) -> None:
    """parse(format(ports)) is the ports."""
    assert parse_ports(format_ports(found)) == found


@pytest.mark.parametrize(
    ("text", "written"), [("", ""), ("8001,8000,22", "22,8000-8001"), ("5-7,7", "5-7")]
)
def test_a_port_list_is_written_as_the_kernel_does(text: str, written: str) -> None:
    """Ascending, neighbours joined, each once."""
    assert format_ports(parse_ports(text)) == written


@given(st.integers(1, 60_000), st.integers(0, 5_000), st.integers(1, 55_296), sets, sets)
def test_a_widened_range_has_the_ports_and_no_listener(
    low: int, more: int, wanted: int, reserved: frozenset[int], listening: frozenset[int]
) -> None:
    """It contains the range of now, gives out what is wanted, and nothing that is listened on."""
    now = Range(low, low + more, reserved)
    found = widened(now, wanted, listening)
    if found is None:
        most = widest(now, listening)
        assert usable(most.low, most.high, most.reserved) < wanted or low < 10_240
        return
    assert found.low <= now.low <= now.high <= found.high <= 65_535
    assert found.low >= min(low, 10_240)
    assert usable(found.low, found.high, found.reserved) >= wanted
    assert not {p for p in listening - found.reserved if found.low <= p <= found.high}
    assert found.reserved - now.reserved <= listening
