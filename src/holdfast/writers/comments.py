"""How our files say where they come from and why a line is there. Knows no program's format."""

from __future__ import annotations

import textwrap

WIDTH = 76


def heading(in_flight: int) -> str:
    """The lines that a file of ours opens with, for programs whose comments begin with `#`."""
    said = "Written by `holdfast tune`; `holdfast tune --undo` puts back what was there."
    return f"# {said}\n# For {in_flight:,} requests in flight.\n"


def comment(text: str) -> str:
    """A comment of as many lines as it takes, each ended."""
    return "".join(f"# {line}\n" for line in textwrap.wrap(text, WIDTH))
