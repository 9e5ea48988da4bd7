"""`holdfast logs`: what the workers and the edge of a running stack print. Changes nothing."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable
from typing import Final

import click
import msgspec

from holdfast.cli import say
from holdfast.cli.options import json_option
from holdfast.cli.running import find_control, stack_argument
from holdfast.model.errors import BadInput
from holdfast.stack.logs import LogReader, find_logs
from holdfast.stack.run_dir import CONTROL, TAIL_LINES

EDGE: Final = "edge"
_POLL_S: Final = 0.2
"""How often logs that say nothing new are looked at: writing to a file wakes nobody."""


class Printed(msgspec.Struct, frozen=True):
    """A line of a log: of a slot's workers, or of the edge, which has no slot."""

    log: str
    slot: int | None
    text: str


Show = Callable[[str, list[bytes]], None]


@click.command()
@stack_argument
@click.option("--follow", "-f", is_flag=True, help="Go on with what is printed, until the end.")
@click.option("--slot", "slots", type=click.IntRange(min=0), multiple=True, help="Only this one.")
@click.option("--edge", is_flag=True, help="Only what the edge prints.")
@click.option(
    "--lines",
    type=click.IntRange(min=0),
    default=TAIL_LINES,
    show_default=True,
    help="Lines of each log to begin with.",
)
@json_option
def logs(
    stack: str, follow: bool, slots: tuple[int, ...], edge: bool, lines: int, as_json: bool
) -> int:
    """Print what workers and edge have printed, by slot.

    Follows until Ctrl-C, or until the stack has ended. A log that is longer than 16 MiB is set
    aside as `.1` and begins anew; what was set aside before is gone. STACK is a port, an address
    and port, or a run folder, whose logs are there after the end, too; the only one that runs
    needs no name.

    \b
    holdfast logs
    holdfast logs 8000 --follow
    holdfast logs 8000 --slot 0 --lines 100
    holdfast logs 8000 --edge --json
    """
    run_dir = os.path.dirname(find_control(stack))
    names = tuple(f"slot-{slot}" for slot in slots) + (EDGE,) * edge
    _check(run_dir, names)
    show = _show_json if as_json else _show_lines
    with contextlib.suppress(KeyboardInterrupt), Reading(run_dir, names, show) as reading:
        reading.last(lines)
        while follow and reading.more():
            time.sleep(_POLL_S)
    return 0


def _check(run_dir: str, names: tuple[str, ...]) -> None:
    found = find_logs(run_dir)
    for name in names or ("",) * (not found):
        if name not in found:
            fault = f"`{name}` has no log" if name else "there are no logs"
            hint = f"there are {', '.join(found)}" if found else "name the run folder of a stack"
            raise BadInput(fault, place=run_dir, hint=hint)


class Reading(contextlib.ExitStack):
    """The logs of a run folder, or those of these `names`; `show` is called with their lines."""

    def __init__(self, run_dir: str, names: tuple[str, ...], show: Show) -> None:
        super().__init__()
        self._run_dir, self._names, self._show = run_dir, names, show
        self._readers: dict[str, LogReader] = {}

    def last(self, count: int) -> None:
        """Show the last lines of each."""
        for name in self._come():
            self._show(name, self._readers[name].last(count))

    def more(self) -> bool:
        """Show all that has been printed since; whether there can be more, since the stack runs."""
        runs = os.path.exists(os.path.join(self._run_dir, CONTROL))
        self._come()
        while sum(self._has_more(name) for name in self._readers):
            continue  # each has its turn, and none waits for one that is long
        for name, reader in self._readers.items():
            if not runs and (rest := reader.rest()):
                self._show(name, [rest])
        return runs

    def _come(self) -> list[str]:
        """The names of logs that were not there before: those of new slots."""
        come = []
        for name, path in find_logs(self._run_dir).items():
            if name not in self._readers and (name in self._names or not self._names):
                with contextlib.suppress(OSError):
                    self._readers[name] = LogReader(path)
                    self.callback(self._readers[name].close)
                    come.append(name)
        return come

    def _has_more(self, name: str) -> bool:
        reader = self._readers[name]
        torn, lines = reader.torn, reader.more()
        self._show(name, lines)
        if reader.torn > torn:
            say.say(f"{name}: lines that were set aside meanwhile are lost")
        return bool(lines)


def _show_lines(name: str, printed: list[bytes]) -> None:
    head = f"{name.replace('-', ' '):<7} | ".encode()
    if printed:
        say.lines(b"\n".join(head + line for line in printed))


def _show_json(name: str, printed: list[bytes]) -> None:
    slot = None if name == EDGE else int(name.partition("-")[2])
    texts = (line.decode(errors="backslashreplace") for line in printed)
    if printed:
        say.lines(b"\n".join(msgspec.json.encode(Printed(name, slot, text)) for text in texts))
