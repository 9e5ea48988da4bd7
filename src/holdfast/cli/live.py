"""What is shown while a trial starts and runs, and the verdict at its end. Measures nothing.

On a terminal lines are rewritten; anywhere else plain ones follow each other, a few seconds apart.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from rich.console import ConsoleRenderable, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from holdfast.cli import say
from holdfast.model.units import format_bytes, format_seconds
from holdfast.proof.moment import Moment, Phase
from holdfast.proof.plan import ProofPlan
from holdfast.proof.result import Result

PLAIN_EVERY_S: Final = 5.0
"""Seconds of the run between two plain lines of one phase."""
BAR_COLUMNS: Final = 40
"""No longer, so that a terminal that is made narrower seldom breaks the line that stands there."""
STYLES: Final = {"held": "bold green", "not held": "bold red", "void": "bold yellow"}


class Steps:
    """What is being started, one thing after another: a line each, or one that is rewritten."""

    def __init__(self, draw: Callable[[ConsoleRenderable], None] | None) -> None:
        self._draw = draw
        self._said = ""

    def __call__(self, what: str, reached: str = "") -> None:
        """Tell what is started now; `reached` is how far that is, for whom lines are rewritten."""
        if self._draw is not None:
            self._draw(Text(f"{what}: {reached}" if reached else what))
        elif what != self._said:
            self._said = what
            say.say(what)


@contextmanager
def starting(quiet: bool) -> Iterator[Callable[..., None]]:
    """Tells the steps before a load begins; nothing of them is left on a terminal afterwards."""
    if quiet:
        yield lambda *_: None
    elif say.err.can_rewrite:
        with _rewritten(transient=True) as draw:
            yield Steps(draw)
    else:
        yield Steps(None)


@contextmanager
def live_line(quiet: bool, plan: ProofPlan) -> Iterator[Callable[[Moment], None] | None]:
    """A callback that shows each moment of a run; None when quiet."""
    if quiet:
        yield None
    elif say.err.can_rewrite:
        with _rewritten() as draw:
            progress = Progress(plan)
            yield lambda moment: draw(_drawn(moment, *progress.reached(moment)))
    else:
        yield Plain(plan).show


@contextmanager
def _rewritten(*, transient: bool = False) -> Iterator[Callable[[ConsoleRenderable], None]]:
    """Draws one thing over the other; the terminal's width is asked for each time."""
    live = Live(
        console=say.err,
        auto_refresh=False,
        transient=transient,
        redirect_stdout=False,
        redirect_stderr=False,
    )
    with live:
        yield lambda drawn: live.update(drawn, refresh=True)


class Progress:
    """How far the phase of each moment is."""

    def __init__(self, plan: ProofPlan) -> None:
        self._plan = plan
        self._opened_s = 0.0

    def reached(self, moment: Moment) -> tuple[float, str]:
        """The part of the phase that is over (0 to 1), and the time in words."""
        plan, part = self._plan, min(1.0, moment.witnesses.client / self._plan.clients)
        if moment.phase == "opening":
            self._opened_s = moment.at_s
            return part, f"{moment.at_s:.0f} s"
        passed_s = moment.at_s - self._opened_s
        if moment.phase == "hold":
            return min(1.0, passed_s / plan.hold_s), f"{passed_s:.0f}/{plan.hold_s:.0f} s"
        return 1 - part, f"{passed_s - plan.hold_s:.0f} s"


class Plain:
    """Moments as plain lines: the first of each phase, then one every few seconds of the run."""

    def __init__(self, plan: ProofPlan) -> None:
        self._progress = Progress(plan)
        self._phase: Phase | None = None
        self._due_s = 0.0

    def show(self, moment: Moment) -> None:
        """Say the moment, if it is time."""
        told = self._progress.reached(moment)[1]
        if moment.phase == self._phase and moment.at_s < self._due_s:
            return
        self._phase, self._due_s = moment.phase, moment.at_s + PLAIN_EVERY_S
        say.say(f"{moment.phase} {told}  {_counted(moment)}")


def _drawn(moment: Moment, done: float, told: str) -> ConsoleRenderable:
    """Two lines at 80 columns: phase with its bar, and what is counted; more where it is narrow."""
    grid = Table.grid(padding=(0, 1))
    bar = ProgressBar(1.0, done, BAR_COLUMNS, complete_style="bar.finished")
    grid.add_row(Text(moment.phase, style="bold"), bar, Text(told))
    return Group(grid, Text(_counted(moment)))


def _counted(moment: Moment) -> str:
    """`client 51,000 app 50,990 kernel 51,000  2,480/s  0 failed  1.9 GiB`."""
    seen = moment.witnesses
    app = "-" if seen.app is None else f"{seen.app:,}"
    kernel = "-" if seen.kernel is None else f"{seen.kernel:,}"
    return (
        f"client {seen.client:,} app {app} kernel {kernel}  "
        f"{moment.rate:,.0f}/s  {moment.failed:,} failed  {format_bytes(moment.memory_bytes)}"
    )


def show_result(result: Result, planned_bytes: int | None) -> None:
    """The verdict for people, on stdout: the word first, what was counted, then why."""
    say.text()
    say.item(f"{result.verdict}: ", _claim(result), style=STYLES[result.verdict])
    for name, told in _rows(result, planned_bytes):
        say.item(f"  {name:<10} ", told)


def _claim(result: Result) -> str:
    """What was asked for, and what there was of it."""
    paced = result.open_loop
    if paced is None:
        return f"{result.asked:,} in flight were asked, {result.held:,} were there at the least"
    return (
        f"{paced.rate:,.0f} requests a second were asked, {paced.answered_rate:,.0f} a second "
        f"were answered ({paced.arrivals} arrivals)"
    )


def _rows(result: Result, planned_bytes: int | None) -> Iterator[tuple[str, str]]:
    least = result.witnesses
    counts = (("client", least.client), ("app", least.app), ("kernel", least.kernel))
    seen = ", ".join(f"{name} {count:,}" for name, count in counts if count is not None)
    yield "in flight", f"{seen}, each at its least"
    if result.idle:
        yield "idle", f"{result.idle:,} clients beside"
    yield (
        "answers",
        f"{result.answered:,} ({result.rate:,.0f}/s), {result.failed:,} failed, "
        + (f"{result.totals.refused:,} refused, " if result.totals.refused else "")
        + f"{result.unfinished:,} unfinished",
    )
    if result.answered:
        times = result.response_ms
        p50, p99, most = (format_seconds(ms / 1e3) for ms in (times.p50, times.p99, times.max))
        yield "response", f"half within {p50}, 99 % within {p99}, all within {most}"
    yield "memory", _memory(result, planned_bytes)
    opened, hold = format_seconds(result.opened_s), format_seconds(result.hold_s)
    yield "time", f"opened in {opened}, held for {hold}"
    for reason in result.reasons:
        yield "because", reason
    for note in result.notes:
        yield "note", note


def _memory(result: Result, planned_bytes: int | None) -> str:
    text = f"{format_bytes(result.memory_bytes)} more than before on the whole machine"
    if planned_bytes:
        off = (result.memory_bytes - planned_bytes) / planned_bytes
        text += f", {format_bytes(planned_bytes)} planned ({off:+.0%})"
    each = result.memory.bytes_per_request
    return text + (f"; {each:,.0f} bytes a request in the workers" if each else "")
