"""The report in a real browser, headless: as wide as a telephone, and fetching nothing."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from holdfast.proof.report.page import render
from holdfast.proof.result import Result, Spread
from tests.proof.reported import empty, held, never_began, series

pytest.importorskip("matplotlib", reason="the extra `report` is not installed")
BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
pytestmark = [
    pytest.mark.slow,
    pytest.mark.beside,
    pytest.mark.skipif(BROWSER is None, reason="no chromium is installed"),
]
MINUTES = Spread(*(7_777_777.0,) * 5)
FRAME = """<!doctype html><html><body>
<iframe id="page" src="report.html" style="width:400px;height:3000px;border:0"></iframe>
<pre id="out"></pre><script>
addEventListener("load", () => {
  const page = document.getElementById("page"), root = page.contentDocument.documentElement;
  const asked = page.contentWindow.performance.getEntriesByType("resource").length;
  const seen = [...root.querySelectorAll("svg")].filter((svg) => svg.getBoundingClientRect().width);
  const inside = seen.every((svg) => svg.getBoundingClientRect().right <= 400);
  const words = [root.scrollWidth, asked, seen.length, inside];
  document.getElementById("out").textContent = "seen " + words.join(" ");
});
</script></body></html>"""
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage"),
    *("--allow-file-access-from-files", "--window-size=800,3200", "--dump-dom"),
)


@pytest.mark.parametrize(
    ("result", "charts"),
    [
        (held(), 5),
        (held(series=series(500, 1400, 100)), 5),
        (held(response_ms=MINUTES, service_ms=MINUTES, lag_ms=MINUTES), 5),
        (never_began(), 4),
        (empty(), 5),
    ],
    ids=["held", "long", "minutes", "never", "empty"],
)
def test_a_report_fits_a_telephone_and_asks_nobody(
    result: Result, charts: int, tmp_path: Path
) -> None:
    """At 400 px nothing is wider than the window, every chart is seen, and nothing is fetched."""
    (tmp_path / "report.html").write_bytes(render(result))
    (tmp_path / "frame.html").write_text(FRAME)
    done = subprocess.run(
        [
            *(str(BROWSER), *FLAGS, f"--user-data-dir={tmp_path / 'profile'}"),
            (tmp_path / "frame.html").as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    seen = re.search(r"seen (\d+) (\d+) (\d+) (\w+)", done.stdout)
    assert seen is not None, done.stderr[-2000:]
    width, asked, drawn, inside = seen.groups()
    assert int(width) <= 400
    assert (int(asked), int(drawn), inside) == (0, charts, "true")
