"""Numbers as people write them, read and printed; what is no number is refused."""

from __future__ import annotations

import pytest

from holdfast.model.errors import BadInput
from holdfast.model.units import (
    format_bytes,
    format_count,
    format_seconds,
    parse_bytes,
    parse_count,
    parse_seconds,
)


@pytest.mark.parametrize(
    ("text", "count"),
    [("50k", 50_000), ("1.5M", 1_500_000), ("2000", 2_000), ("50_000", 50_000), ("50,000", 50_000)],
)
def test_a_count_is_read(text: str, count: int) -> None:
    """Counts take k and M, underscores and commas."""
    assert parse_count(text) == count


@pytest.mark.parametrize("text", ["", "0", "-5", "50kk", "1.5", "ten", "1e3", "k", "٣", "0.5k x"])
def test_what_is_no_count_is_refused_with_a_hint(text: str) -> None:
    """Zero, negative, doubled and unknown units are bad input (2) that says how to write it."""
    with pytest.raises(BadInput) as caught:
        parse_count(text)
    assert caught.value.exit_code == 2
    assert text in caught.value.fault
    assert caught.value.hint


@pytest.mark.parametrize(
    ("text", "size"),
    [("64 KiB", 65_536), ("64k", 65_536), ("2 GB", 2 * 10**9), ("10M", 10 * 2**20), ("7", 7)],
)
def test_a_size_is_read(text: str, size: int) -> None:
    """A bare letter is binary, as servers read it; kB and GB are decimal."""
    assert parse_bytes(text) == size


@pytest.mark.parametrize(
    ("text", "seconds"), [("2s", 2), ("50ms", 0.05), ("5m", 300), ("20", 20), ("1h", 3_600)]
)
def test_a_duration_is_read(text: str, seconds: float) -> None:
    """Durations without a unit are seconds."""
    assert parse_seconds(text) == pytest.approx(seconds)


def test_numbers_are_printed_with_units() -> None:
    """Printed numbers carry their unit and stay short."""
    assert format_count(50_000) == "50,000"
    assert format_count(float("inf")) == "unlimited"
    assert [format_bytes(n) for n in (0, 65_536, 1.5 * 2**30)] == ["0 B", "64 KiB", "1.5 GiB"]
    assert [format_seconds(n) for n in (0.05, 20, 185)] == ["50 ms", "20 s", "3 min 5 s"]
