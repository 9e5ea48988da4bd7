"""Everything that is printed: data to stdout, talk and errors to stderr. Decides nothing else.

Data that cannot be written is a fault; talk that nobody hears any more is dropped.
"""

from __future__ import annotations

import contextlib
import errno
import math
import os
import signal
import sys
import textwrap
from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple, NoReturn, TextIO

import msgspec
from rich.box import SIMPLE
from rich.console import Console, ConsoleRenderable
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from holdfast.model.errors import HoldfastError
from holdfast.model.units import format_seconds, plural
from holdfast.stack.config import EdgeEvent, Effective, Event, Happened, Serving, StackEvent
from holdfast.stack.differences import differences

NARROW: Final = 80
"""Columns that everything must be readable in; a pipe counts as so wide."""
MOST_COLUMNS: Final = 110
"""Longer lines are hard to read, however wide the terminal is."""
GLUE: Final = "\xa0"
"""A blank at which no line ends; it is printed as a plain one."""
UNWRITABLE: Final = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF}
"""What a stream that cannot take more says; a reader that has left is a BrokenPipeError."""


class Terminal(Console):
    """One of our two streams: 80 columns where it is no terminal, ASCII where it can no more."""

    def __init__(self, stream: Any) -> None:
        self.is_tty = stream.isatty()
        width = None if self.is_tty else NARROW
        super().__init__(file=stream, width=width, highlight=False, soft_wrap=not self.is_tty)

    @property
    def encoding(self) -> str:
        """What can be drawn: the stream's encoding, or ASCII where the locale was said to be C."""
        return "ascii" if _is_c_locale() else super().encoding

    @property
    def columns(self) -> int:
        """How wide a line may be; a terminal may change it at any time."""
        return min(self.width, MOST_COLUMNS)

    @property
    def can_rewrite(self) -> bool:
        """Whether a line that stands can be drawn anew."""
        return self.is_tty and not self.is_dumb_terminal

    def on_broken_pipe(self) -> NoReturn:
        """Let the command end as every other writer does whose reader has left."""
        raise  # noqa: PLE0704 - rich calls this while it handles the BrokenPipeError


def _is_c_locale() -> bool:
    """Whether the environment names the C locale. Where it names none, UTF-8 is likelier (PEP 538).

    Python itself sets LC_CTYPE to C.UTF-8 there and writes UTF-8 all the same.
    """
    kind = os.environ.get("LC_CTYPE", "").replace("C.UTF-8", "")
    return (os.environ.get("LC_ALL") or kind or os.environ.get("LANG")) in {"C", "POSIX"}


def _stream(name: str) -> Any:
    """The standard stream; what was closed is replaced, so that no socket takes its number."""
    stream = getattr(sys, name)
    if stream is None:
        stream = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
        setattr(sys, name, stream)
    stream.reconfigure(errors="backslashreplace")
    return stream


out = Terminal(_stream("stdout"))
err = Terminal(_stream("stderr"))


def is_quiet(as_json: bool) -> bool:
    """Whether to leave talk out: a program that reads JSON may take any talk for a fault.

    Somebody who looks at the terminal meanwhile still wants to see that it goes on.
    """
    return as_json and not err.is_tty


def say(text: str = "") -> None:
    """One line of talk, to stderr."""
    talk(Text(text))


def talk(drawn: ConsoleRenderable) -> None:
    """Something drawn, to stderr; a terminal breaks long lines itself, so they can be copied."""
    with contextlib.suppress(OSError):
        try:
            err.print(drawn, soft_wrap=True)
        except BrokenPipeError:
            _silence(sys.stderr)


def data(value: object) -> None:
    """The command's answer as JSON, to stdout."""
    try:
        encoded = msgspec.json.encode(value)
    except UnicodeEncodeError:
        encoded = msgspec.json.encode(_escaped(msgspec.to_builtins(value)))
    _write(msgspec.json.format(encoded, indent=2))


def _escaped(value: Any) -> Any:
    """The value, every byte in its texts that was no UTF-8 written as the streams do: `\\udcff`."""
    if isinstance(value, str):
        return value.encode(errors="backslashreplace").decode()
    if isinstance(value, dict):
        return {_escaped(key): _escaped(each) for key, each in value.items()}
    return [_escaped(each) for each in value] if isinstance(value, list | tuple) else value


def _write(encoded: bytes) -> None:
    """One line of data as it is, whatever the terminal's encoding."""
    sys.stdout.flush()
    sys.stdout.buffer.write(encoded + b"\n")
    sys.stdout.buffer.flush()


def lines(whole: str | bytes) -> None:
    """Lines of the command's answer as they are, however long, to stdout."""
    encoded = whole.encode(errors="backslashreplace") if isinstance(whole, str) else whole
    _write(encoded.removesuffix(b"\n"))


def text(line: str = "", *, style: str = "") -> None:
    """One line of the command's answer, to stdout."""
    out.print(Text(line, style=style))


def item(head: str, body: str, *, style: str = "") -> None:
    """A head and a body to stdout, the body wrapped under itself where the line is too long."""
    room = max(20, out.columns - len(head))
    lines = textwrap.wrap(body, room, break_on_hyphens=False) or [""]
    first, *more = (line.replace(GLUE, " ") for line in lines)
    out.print(Text.assemble((head, style), first))
    for line in more:
        text(" " * len(head) + line)


def bar(share: float, columns: int) -> str:
    """A bar of a share of so many columns; a column that is begun is drawn."""
    return ("-" if out.options.ascii_only else "━") * math.ceil(min(share, 1.0) * columns)


class Column(NamedTuple):
    """A column of a table: the one of the highest `spare` is left out where it grows too wide."""

    title: str
    is_number: bool = False
    spare: int = 0


def table(
    columns: Sequence[Column | tuple[str, bool]], rows: Iterable[Sequence[str | ConsoleRenderable]]
) -> None:
    """A table to stdout, without columns that can be spared where the terminal is too narrow."""
    titles, rows = [Column(*column) for column in columns], list(rows)
    kept = list(range(len(titles)))
    while _measure(drawn := _table(titles, rows, kept)) > out.width:
        spared = max(kept, key=lambda index: titles[index].spare)
        if not titles[spared].spare:
            break
        kept.remove(spared)
    with out.capture() as captured:
        out.print(drawn)
    for one in captured.get().splitlines():
        out.file.write(one.rstrip() + "\n")
    out.file.flush()


def _table(titles: list[Column], rows: list[Any], kept: list[int]) -> Table:
    is_ascii = out.options.ascii_only
    box, gap = (None, 2) if is_ascii else (SIMPLE, 1)
    drawn = Table(box=box, pad_edge=False, show_edge=False, padding=(0, gap, 0, 0))
    for title, is_number, _ in (titles[index] for index in kept):
        drawn.add_column(title, justify="right" if is_number else "left", overflow="fold")
    for row in rows:
        cells = (row[index] for index in kept)
        drawn.add_row(*(Text(cell) if isinstance(cell, str) else cell for cell in cells))
    return drawn


def _measure(drawn: Table) -> int:
    """Columns that it would take if there were enough."""
    return Measurement.get(out, out.options.update(width=1000), drawn).maximum


def fault(error: HoldfastError) -> None:
    """An error as fault, place, hint; the word comes first so that colour carries nothing alone."""
    talk(Text.assemble(("error", "bold red"), f": {error.fault}"))
    if error.place:
        say(f"  at {error.place}")
    if error.hint:
        talk(Text.assemble(("hint", "bold"), f": {error.hint}"))


def unheard(wrong: OSError) -> int:
    """The exit code of a command whose output could not be written; raises what is not of that.

    A reader that has left ends it without a word, as SIGPIPE ends others (128 + 13).
    """
    if wrong.filename is not None or wrong.errno not in UNWRITABLE | {errno.EPIPE}:
        raise wrong
    if wrong.errno != errno.EPIPE:
        hint = "make room, or send the output elsewhere"
        fault(HoldfastError(f"the output cannot be written: {wrong.strerror}", hint=hint))
    _silence(sys.stdout)
    return 128 + signal.SIGPIPE if wrong.errno == errno.EPIPE else HoldfastError.exit_code


def flush() -> None:
    """Write what is left in both streams; talk that nobody reads any more is dropped."""
    try:
        sys.stderr.flush()
    except OSError:
        _silence(sys.stderr)
    sys.stdout.flush()


def _silence(stream: TextIO) -> None:
    """Let what is left in the stream, and all that follows, go nowhere.

    The interpreter tries it once more when it ends, and makes 120 of an exit code if that fails.
    """
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def event_line(event: Happened) -> None:
    """What happened to the stack as one line on stderr."""
    if text := event_text(event):
        say(text)


def event_json(event: Happened) -> None:
    """The same as one line of JSON on stdout, for programs that watch.

    A stack serves on when its watcher has left.
    """
    with contextlib.suppress(OSError):
        try:
            _write(msgspec.json.encode(event))
        except BrokenPipeError:
            _silence(sys.stdout)


def event_text(event: Happened) -> str:
    """`worker 3.1 ready`, with what was lost and how long it is waited."""
    match event:
        case Serving():
            return _serving(event)
        case Effective():
            return _effective(event)
        case StackEvent():
            return _asked(event)
        case EdgeEvent():
            parts = [f"edge {event.index} {event.kind.removeprefix('edge_').replace('_', ' ')}"]
        case Event():
            parts = [f"worker {event.slot}.{event.generation} {event.kind}"]
    if event.status is not None:
        parts.append(f"with status {event.status}")
    if isinstance(event, Event) and event.in_flight:
        parts.append(f"{event.in_flight:,} requests lost")
    if isinstance(event, Event) and event.delay_s:
        parts.append(f"again in {format_seconds(event.delay_s)}")
    text = ", ".join(parts)
    return f"{text}\n{textwrap.indent(event.text, '  | ')}" if event.text else text


_ASKED: Final = {
    "chosen": "{slots} chosen",
    "reloading": "reloading {slots}",
    "reloaded": "reloaded {slots} in {took}, {cut}",
    "not_reloaded": "not reloaded: the new worker died, and who served before serves on",
    "scaling": "scaling to {slots}",
    "scaled": "scaled to {slots} in {took}, {cut}",
    "not_scaled": "not scaled, {slots} serve as before",
    "draining": "draining {slots}",
    "stopping": "stopping {slots}",
    "drained": "drained in {took}, {cut}",
    "logs_lost": "what is printed is lost; requests are served",
    "logs_kept": "what is printed is kept again",
    "refused": "refused",
    "stood_still": "stood still for {took}: this process was stopped, or the whole machine",
}


def _asked(event: StackEvent) -> str:
    """What was asked of the whole stack: what has begun, or what has come of it."""
    text = _ASKED[event.kind].format(
        slots=plural(event.slots, "worker"),
        took=format_seconds(event.took_s),
        cut=f"{plural(event.cut, 'request')} cut" if event.cut else "no request cut",
    )
    if event.kind == "not_reloaded":  # the worker's last words stand above, where it was kept
        return text
    return f"{text}\n{textwrap.indent(event.text, '  | ')}" if event.text else text


def _serving(event: Serving) -> str:
    where = f"serving on {event.scheme}://{event.address}:{event.port}"
    sent = f", and port {event.redirect} sends there" if event.redirect else ""
    return f"{where} (backlog {event.backlog:,}){sent}"


def _effective(event: Effective) -> str:
    """What a stack runs with that is not as planned; where it was asked for, all that was read."""
    lines = []
    if event.is_asked:
        lines = [f"{value.setting} {value.value} ({value.why})" for value in event.values]
    for found in differences(event.values):
        lines += [f"warning: {found.fault}", f"  at {found.place}", f"hint: {found.hint}"]
    return "\n".join(lines)
