"""Draws a result's report and takes its picture for the README. `scripts/bench picture [FILE]`.

Needs Debian's chromium. The picture is the top of the page at 1,200 px: its first three charts.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from holdfast.proof.report.page import render
from holdfast.proof.result import read_result

REPOSITORY = Path(__file__).parent.parent
RESULT = REPOSITORY / "bench" / "results" / "demo-50k.json"
PICTURE = REPOSITORY / "docs" / "pictures" / "report.png"
WIDTH, HEIGHT = 1200, 1182
"""The verdict, its figures and the first three charts."""
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update", "--hide-scrollbars"),
)


def main() -> None:
    """Draw the result, let the browser take the picture, and leave it in docs/pictures."""
    browser = shutil.which("chromium")
    if browser is None:
        sys.exit("error: chromium is not installed\nhint: apt-get install chromium")
    result = Path(sys.argv[1]) if len(sys.argv) > 1 else RESULT
    PICTURE.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "report.html"
        page.write_bytes(render(read_result(str(result))))
        words = [f"--user-data-dir={folder}/profile", f"--screenshot={PICTURE}"]
        size = f"--window-size={WIDTH},{HEIGHT}"
        argv = [browser, *FLAGS, *words, size, page.as_uri()]
        subprocess.run(argv, check=True, timeout=120, capture_output=True)


if __name__ == "__main__":
    main()
