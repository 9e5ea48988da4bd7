"""Runs the real command, as a user would, and gives what it printed."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).parent.parent.parent
SHOP = str(REPOSITORY / "examples" / "shop")
WAIT = str(REPOSITORY / "examples" / "wait")
VOID, TRIES = 3, 3
APPS = str(Path(__file__).parent / "apps")
UNPRIVILEGED = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"] if os.geteuid() == 0 else []
"""Words before a command that may no more than anybody, root as well: it has no capability."""


def command(*words: str) -> list[str]:
    """The words that run `holdfast WORDS` with this interpreter."""
    return [sys.executable, "-m", "holdfast", *words]


def environment() -> dict[str, str]:
    """This environment, the package on the path, 80 columns."""
    return {**os.environ, "PYTHONPATH": str(REPOSITORY / "src"), "COLUMNS": "80"}


def holdfast(
    *words: str, timeout_s: float = 180.0, before: Sequence[str] = (), **popen: Any
) -> subprocess.CompletedProcess[str]:
    """Run `holdfast WORDS` to its end, without a terminal; `before` is what starts it."""
    return subprocess.run(
        [*before, *command(*words)],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
        **popen,
    )


def tried(*words: str, **popen: Any) -> subprocess.CompletedProcess[str]:
    """The same; a run that was void, since this machine was busy just then, is tried again."""
    for _ in range(TRIES):
        done = holdfast(*words, **popen)
        if done.returncode != VOID:
            break
    return done


def started(*words: str, **popen: Any) -> subprocess.Popen[str]:
    """Start `holdfast WORDS` with both streams as pipes, in a process group of its own."""
    return subprocess.Popen(
        command(*words),
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        process_group=0,
        **popen,
    )
