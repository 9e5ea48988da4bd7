"""The reference pages of programs: a row for each setting, and no row is stale."""

from __future__ import annotations

from pathlib import Path

import pytest

from holdfast.programs import granian, gunicorn, haproxy_rows, hypercorn, nginx_rows, uvicorn
from holdfast.programs.rows import Setting

PAGES = Path(__file__).parents[2] / "docs/reference"


def line(row: Setting) -> str:
    """The row as the page has it."""
    default = (
        "unset" if row.default is None else f"{row.default:,}" if _counts(row) else row.default
    )
    changed = "".join(
        f"; {change.default} since {change.since} (read in {change.read_in})"
        for change in row.changes
    )
    nobody = "nobody" if not row.enforced_by else row.enforced_by
    return f"| `{row.name}` | {row.unit} | {default}{changed} | {nobody} | {row.doc} |"


def _counts(row: Setting) -> bool:
    return isinstance(row.default, int) and not isinstance(row.default, bool)


@pytest.mark.parametrize(
    ("page", "rows"),
    [
        ("nginx", nginx_rows),
        ("haproxy", haproxy_rows),
        ("gunicorn", gunicorn),
        ("uvicorn", uvicorn),
        ("hypercorn", hypercorn),
        ("granian", granian),
    ],
)
def test_every_setting_has_its_row_in_order(page: str, rows: object) -> None:
    """The page's table is what the rows say: nothing missing, nothing stale."""
    text = (PAGES / f"{page}.md").read_text()
    found = [shown for shown in text.splitlines() if shown.startswith("| `")]
    assert found == [line(row) for row in rows.ROWS]  # type: ignore[attr-defined]
