"""The reference page of what is observed: every value has its row, and no row is stale."""

from __future__ import annotations

import os
import re
from pathlib import Path

from holdfast.observe.host import read_host
from holdfast.observe.process import read_limits

PAGE = Path(__file__).parents[2] / "docs/reference/observe.md"


def rows(heading: str) -> list[str]:
    """The settings in the table below a heading, in order."""
    section = PAGE.read_text().split(f"## {heading}\n")[1].split("\n## ")[0]
    return re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)


def test_every_value_of_a_host_has_its_row_in_order() -> None:
    """The page lists what `read_host` returns: nothing missing, nothing stale."""
    assert rows("A host") == [value.setting for value in read_host().values]


def test_every_value_of_a_process_has_its_row_in_order() -> None:
    """The page lists what `read_limits` returns: nothing missing, nothing stale."""
    assert rows("A running process") == [value.setting for value in read_limits(os.getpid())]
