"""The reference page of results: every field of the JSON has its row, and no row is stale."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from holdfast.proof import result as results
from holdfast.proof.compare import BATCHES, CONFIDENCE, SAME
from holdfast.proof.moment import Series
from holdfast.proof.planned import PlannedLimit, PlannedPath

PAGE = (Path(__file__).parents[2] / "docs/reference/results.md").read_text()
RECORDS = {
    "Top level": results.Result,
    "`witnesses`": results.Least,
    "`totals`": results.Totals,
    "`response_ms`, `service_ms`, `lag_ms`": results.Spread,
    "`memory`": results.Memory,
    "`cpu`": results.Cpu,
    "`series`": Series,
    "`machine`": results.About,
    "`histograms`": results.Histograms,
    "`open_loop`": results.OpenLoop,
    "`planned`": PlannedPath,
    "`planned.limits`": PlannedLimit,
}


@pytest.mark.parametrize("heading", RECORDS)
def test_every_field_has_its_row_in_order(heading: str) -> None:
    """The table below a heading lists the record's fields: nothing missing, nothing stale."""
    section = PAGE.split(f"## {heading}\n")[1].split("\n## ")[0].split("\n# ")[0]
    rows = re.findall(r"^\| (`.*?) \|", section, re.MULTILINE)
    fields = [name for row in rows for name in re.findall(r"`(\w+)`", row)]
    assert fields == list(RECORDS[heading].__struct_fields__)


def test_the_page_says_the_numbers_of_the_method() -> None:
    """Stretches, confidence and what is noise anyway are those of the code."""
    assert f"cut into {BATCHES} stretches" in PAGE
    assert f"interval at {100 * CONFIDENCE:.0f} %" in PAGE
    assert f"under {100 * SAME:.0f} % of the base" in PAGE
