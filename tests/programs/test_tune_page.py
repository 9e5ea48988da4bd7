"""The reference page of what `tune` compares: its table is the rows, in order, word by word."""

from __future__ import annotations

from pathlib import Path

from holdfast.observe.host import read_host
from holdfast.programs.tunables import TUNABLES, Tunable

PAGE = Path(__file__).parents[2] / "docs/reference/tune.md"


def line(row: Tunable) -> str:
    """A row as the page's table has it."""
    cells = (f"`{row.setting}`", row.keeper.value, row.when, row.formula, row.source, row.who)
    return "| " + " | ".join(cells) + " |"


def test_the_table_is_the_rows() -> None:
    """Nothing missing, nothing stale, nothing in another order."""
    lines = [text for text in PAGE.read_text("utf-8").splitlines() if text.startswith("| `")]
    assert lines == [line(row) for row in TUNABLES]


def test_every_row_compares_a_value_that_is_observed() -> None:
    """No row is of a value that nobody reads."""
    assert {row.value for row in TUNABLES} <= {value.setting for value in read_host().values}
