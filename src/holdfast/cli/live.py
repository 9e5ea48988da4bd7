"""The line that is shown while a proof runs, and the verdict at its end. Measures nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from holdfast.cli import say
from holdfast.model.units import format_bytes
from holdfast.proof.result import Result
from holdfast.proof.run import Moment


@contextmanager
def live_line(quiet: bool) -> Iterator[Callable[[Moment], None] | None]:
    """A callback that shows each moment on one line of at most 80 columns; None when quiet."""
    if quiet:
        yield None
        return
    line = say.LiveLine()
    try:
        yield lambda moment: line.show(moment_line(moment))
    finally:
        line.end()


def moment_line(moment: Moment) -> str:
    """`hold 12 s  client 51,000 app 50,990 kernel 51,000  2,480/s  0 failed  1.9 GiB`."""
    seen = moment.witnesses
    app = "-" if seen.app is None else f"{seen.app:,}"
    kernel = "-" if seen.kernel is None else f"{seen.kernel:,}"
    return (
        f"{moment.phase} {moment.at_s:.0f} s  client {seen.client:,} app {app} kernel {kernel}  "
        f"{moment.rate:,.0f}/s  {moment.failed:,} failed  {format_bytes(moment.memory_bytes)}"
    )


def show_result(result: Result, planned_bytes: int | None) -> None:
    """The verdict for people, on stdout."""
    say.text(f"{result.verdict}: {result.held:,} of {result.asked:,} in flight", style="bold")
    for reason in result.reasons:
        say.text(f"  {reason}")
    seen = {name: count for name, count in _witnesses(result).items() if count is not None}
    say.text(f"  {', '.join(f'{name} {count:,}' for name, count in seen.items())} (least seen)")
    say.text(
        f"  held {result.hold_s:.0f} s, opened in {result.opened_s:.0f} s; "
        f"{result.answered:,} answered ({result.rate:,.0f}/s), {result.failed:,} failed, "
        f"{result.unfinished:,} unfinished"
    )
    say.text(f"  memory: {_memory(result, planned_bytes)}")


def _witnesses(result: Result) -> dict[str, int | None]:
    least = result.witnesses
    return {"client": least.client, "app": least.app, "kernel": least.kernel}


def _memory(result: Result, planned_bytes: int | None) -> str:
    text = f"{format_bytes(result.memory_bytes)} more than before on the whole machine"
    if planned_bytes:
        off = (result.memory_bytes - planned_bytes) / planned_bytes
        text += f", {format_bytes(planned_bytes)} planned ({off:+.0%})"
    each = result.memory.bytes_per_request
    return text + (f"; {each:,.0f} bytes a request in the workers" if each else "")
