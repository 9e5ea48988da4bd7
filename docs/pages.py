"""Writes what commands print into the pages that quote them; with --check tells which are stale.

A block stands between `<!-- text: COMMAND -->`, or `markdown:` where the command prints that, and
`<!-- end -->`. Knows no page and no command; `scripts/generate` runs it.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
BLOCK = re.compile(r"(<!-- (text|markdown): ([^\n]+) -->\n).*?(<!-- end -->)", re.DOTALL)
ENVIRONMENT = {
    "PATH": os.pathsep.join((str(Path(sys.executable).parent), "/usr/bin", "/bin")),
    "PYTHONPATH": str(ROOT / "src"),
    "LANG": "C.UTF-8",
}
"""The same everywhere, so that a page is too."""


def printed(command: str) -> str:
    """What a command says on stdout; raises CalledProcessError where it fails."""
    done = subprocess.run(
        command, shell=True, check=True, stdout=subprocess.PIPE, cwd=ROOT, env=ENVIRONMENT
    )
    return done.stdout.decode()


def renewed(text: str) -> str:
    """The page with every block as its command prints it now."""

    def block(found: re.Match[str]) -> str:
        begin, kind, command, end = found.groups()
        body = printed(command)
        return begin + (f"```\n{body}```\n" if kind == "text" else body) + end

    return BLOCK.sub(block, text)


def main() -> int:
    """Write the pages anew, or only tell; 1 where one was stale and is not written."""
    stale = 0
    for page in PAGES:
        text = page.read_text("utf-8")
        new = renewed(text)
        if new == text:
            continue
        name = page.relative_to(ROOT)
        if "--check" in sys.argv[1:]:
            stale = 1
            print(f"error: {name} is stale\nhint: run `scripts/generate`", file=sys.stderr)
        else:
            page.write_text(new, "utf-8")
            print(f"wrote {name}")
    return stale


if __name__ == "__main__":
    sys.exit(main())
