"""Everything that is printed: data to stdout, talk and errors to stderr. Decides nothing else."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table
from rich.text import Text

from holdfast.model.errors import HoldfastError
from holdfast.model.units import format_seconds
from holdfast.stack.config import Event, Serving

NARROW = 80
"""Columns that everything must be readable in; a pipe counts as so wide."""
MOST_COLUMNS = 110
"""Longer lines are hard to read, however wide the terminal is."""


def _console(stream: Any) -> Console:
    width = None if stream.isatty() else NARROW
    return Console(file=stream, width=width, highlight=False, soft_wrap=not stream.isatty())


out = _console(sys.stdout)
err = _console(sys.stderr)


def say(text: str = "") -> None:
    """One line of talk, to stderr."""
    err.print(text, markup=False)


def data(value: object) -> None:
    """The command's answer as JSON, to stdout."""
    encoded = msgspec.json.format(msgspec.json.encode(value), indent=2)
    sys.stdout.write(encoded.decode() + "\n")
    sys.stdout.flush()


def text(line: str = "", *, style: str = "") -> None:
    """One line of the command's answer, to stdout."""
    out.print(Text(line, style=style))


def item(head: str, body: str) -> None:
    """A head and a body to stdout, the body wrapped under itself where the line is too long."""
    lines = textwrap.wrap(body, max(20, min(out.width, MOST_COLUMNS) - len(head))) or [""]
    text(head + lines[0])
    for line in lines[1:]:
        text(" " * len(head) + line)


def table(columns: Sequence[tuple[str, bool]], rows: Iterable[Sequence[str]]) -> None:
    """A table to stdout: columns are (title, is it a number)."""
    drawn = Table(box=SIMPLE, pad_edge=False, show_edge=False)
    for title, is_number in columns:
        drawn.add_column(title, justify="right" if is_number else "left", overflow="fold")
    for row in rows:
        drawn.add_row(*(Text(cell) for cell in row))
    out.print(drawn)


def fault(error: HoldfastError) -> None:
    """An error as fault, place, hint; the word comes first so that colour carries nothing alone."""
    err.print(Text.assemble(("error", "bold red"), f": {error.fault}"))
    if error.place:
        err.print(Text(f"  at {error.place}"))
    if error.hint:
        err.print(Text.assemble(("hint", "bold"), f": {error.hint}"))


class LiveLine:
    """One line that is rewritten in a terminal, and printed every few updates in a pipe."""

    def __init__(self, every: int = 5) -> None:
        self._tty = sys.stderr.isatty()
        self._every = every
        self._count = 0

    def show(self, line: str) -> None:
        """Show the newest state; keep it within the terminal's width."""
        if self._tty:
            sys.stderr.write("\r\x1b[K" + line[: err.width - 1])
        elif self._count % self._every == 0:
            sys.stderr.write(line + "\n")
        self._count += 1
        sys.stderr.flush()

    def end(self) -> None:
        """Leave the last state standing."""
        if self._tty and self._count:
            sys.stderr.write("\n")
            sys.stderr.flush()


def event_line(event: Event | Serving) -> None:
    """What happened to the stack as one line on stderr."""
    say(event_text(event))


def event_json(event: Event | Serving) -> None:
    """The same as one line of JSON on stdout, for programs that watch."""
    sys.stdout.write(msgspec.json.encode(event).decode() + "\n")
    sys.stdout.flush()


def event_text(event: Event | Serving) -> str:
    """`worker 3.1 ready`, with what was lost and how long it is waited."""
    if isinstance(event, Serving):
        return f"serving on http://{event.address}:{event.port} (backlog {event.backlog:,})"
    parts = [f"worker {event.slot}.{event.generation} {event.kind}"]
    if event.status is not None:
        parts.append(f"with status {event.status}")
    if event.in_flight:
        parts.append(f"{event.in_flight:,} requests lost")
    if event.delay_s:
        parts.append(f"again in {format_seconds(event.delay_s)}")
    text = ", ".join(parts)
    return f"{text}\n{textwrap.indent(event.text, '  | ')}" if event.text else text
