"""A case is a file: a shell line and where it runs; below, its exit code and all that it printed.

Nothing is changed before it is compared, unless the case says that it is a live run: see `LIVE`.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.cli.run import REPOSITORY
from tests.cli.terminal import terminal

FOLDER = Path(__file__).parent / "snapshots"
WRITE = os.environ.get("HOLDFAST_SNAPSHOTS") == "write"
PLAN_ENDS = "every value and its source"
LIVE = (
    (r"127\.0\.0\.1:\d+", "ADDRESS:PORT"),
    (r"[━╸╺-]{2,}", "━"),  # how far a bar has come
    (r"[+-]?\b\d[\d,]*(\.\d+)?\b", "#"),
    (r"# [KMGT]?i?B\b", "# B"),
    (r"# min # s|# [mu]?s\b", "# s"),
    (r"\b(\w+) {2,}", r"\1  "),  # what numbers of another width would align
)
"""What becomes what in a live run, where numbers, ports and times vary and nothing else may."""


class Case(NamedTuple):
    """What the head of a file says: a comment, the line, the columns of a terminal or none."""

    head: str
    line: str
    columns: int | None
    is_live: bool


def read_case(text: str) -> Case:
    """The case of a file's head, which ends at the line `exit code`, where there is one yet."""
    head = text.partition("\nexit code")[0].rstrip()
    found = re.search(r"^\$ (.*)$", head, re.MULTILINE)
    assert found, "a case has a line that begins with `$ `"
    where = re.search(r"^in a terminal of (\d+) columns", head, re.MULTILINE)
    is_live = bool(re.search(r"^a live run", head, re.MULTILINE))
    return Case(head, found[1], int(where[1]) if where else None, is_live)


def run_case(case: Case) -> str:
    """Run the line in a shell; the whole file as it should be."""
    shell = ["bash", "-c", f"set -o pipefail; {case.line}"]
    if case.columns is None:
        done = subprocess.run(
            shell, env=_env(), cwd=REPOSITORY, capture_output=True, timeout=180, check=False
        )
        code = done.returncode
        parts = [("stdout", done.stdout.decode()), ("stderr", done.stderr.decode())]
    else:
        with terminal(shell, _env(), case.columns, cwd=REPOSITORY) as shown:
            code = shown.wait()
        coloured = re.search(rb"\x1b\[(\d+;)*[39]\d(;\d+)*m", shown.raw)
        screen = "screen, with colours" if coloured else "screen, without a colour"
        parts = [(screen, "\n".join(shown.lines))]
    texts = [case.head, f"exit code {code}"]
    for name, text in parts:
        told = "\n".join(_living(text)) if case.is_live else text.rstrip("\n")
        texts.append(f"--- {name}" + (f"\n{told}" if told else ""))
    return "\n".join(texts) + "\n"


def _env() -> dict[str, str]:
    """The same everywhere: only what finds the command, and a terminal that can do all."""
    return {
        "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
        "PYTHONPATH": str(REPOSITORY / "src"),
        "LANG": "C.UTF-8",
        "TERM": "xterm-256color",
    }


def _living(text: str) -> Iterator[str]:
    """A live run's lines: the plan left out (it has cases of its own), numbers as `#`, no repeats.

    Wrapped lines are joined, since where they break depends on the numbers; and whether a look
    falls into the letting go is chance.
    """
    _, plan, after = text.rpartition(PLAN_ENDS)
    text = f"(the plan)\n{after.partition(chr(10))[2]}" if plan else after
    text, last = re.sub(r"\n {13,}", " ", text), ""
    for pattern, instead in LIVE:
        text = re.sub(pattern, instead, text)
    for line in text.rstrip("\n").split("\n"):
        if line != last and not line.startswith("letting go"):
            yield line
        last = line
