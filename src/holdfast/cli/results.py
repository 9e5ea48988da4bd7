"""`holdfast results`: shows, compares and draws what a proof left behind. Runs nothing."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import click

from holdfast.cli import say
from holdfast.cli.live import show_result
from holdfast.cli.options import json_option
from holdfast.cli.reporting import check_report, write_report
from holdfast.model.errors import BadInput
from holdfast.model.units import format_bytes, format_seconds
from holdfast.proof.compare import Comparison, Figure, compare, shown
from holdfast.proof.moment import Phase
from holdfast.proof.result import Result, read_result

BARS, ASCII_BARS = "▁▂▃▄▅▆▇█", "_.-=+*%#"
PLOT_COLUMNS = 48
"""A small plot with its name and its largest value stays within 80 columns."""
LETTERS: dict[Phase, str] = {"opening": "o", "hold": "h", "letting go": "l"}
FILES = click.argument("files", nargs=-1, required=True, type=click.Path())


@click.group()
def results() -> None:
    """Show, compare or draw the results that proofs have written.

    \b
    holdfast prove shop:app --app-dir examples/shop -n 5k --out a.json
    holdfast results show a.json
    holdfast results compare a.json b.json
    holdfast results report a.json             one HTML page beside it
    """


@results.command()
@FILES
@json_option
def show(files: tuple[str, ...], as_json: bool) -> int:
    """Show results as `prove` does at its end, and how the run went.

    \b
    holdfast results show a.json
    holdfast results show bench/results/demo-*.json
    """
    found = [read_result(path) for path in files]
    if as_json:
        say.data(found[0] if len(found) == 1 else found)
        return 0
    for index, (path, result) in enumerate(zip(files, found, strict=True)):
        if len(files) > 1:
            say.text(f"{path}:" if index == 0 else f"\n{path}:")
        show_result(result, result.planned.memory_bytes if result.planned else None)
        _show_series(result)
    return 0


@results.command(name="compare")
@click.argument("before", type=click.Path())
@click.argument("after", nargs=-1, required=True, type=click.Path())
@json_option
def compare_command(before: str, after: tuple[str, ...], as_json: bool) -> int:
    """Say what changed from BEFORE to AFTER, and whether it is noise.

    Each figure is weighed against the noise of the two runs themselves: means by seconds of the
    hold, percentiles by their order statistics, failures exactly. Several AFTER are compared with
    BEFORE one by one. Exit codes: 0 nothing is worse beyond noise, 1 something is, 3 a run was
    void.

    \b
    holdfast results compare a.json b.json
    holdfast results compare a.json b.json --json
    """
    base = read_result(before)
    found = {path: compare(base, read_result(path)) for path in after}
    if as_json:
        say.data(found[after[0]] if len(after) == 1 else found)
    else:
        for path, compared in found.items():
            say.text(f"{before} -> {path}", style="bold")
            _show_comparison(compared)
    codes = {compared.exit_code for compared in found.values()}
    return 1 if 1 in codes else max(codes)


@results.command()
@FILES
@click.option("--out", type=click.Path(), default=None, help="HTML file  [beside the result]")
def report(files: tuple[str, ...], out: str | None) -> int:
    """Draw each result as one HTML page that needs nothing else.

    The page has no script and fetches nothing; it prints, and reads well on a telephone.

    \b
    holdfast results report a.json             writes a.html
    holdfast results report a.json --out run.html
    """
    if out is not None and len(files) > 1:
        hint = "leave `--out` out: each report is written beside its result"
        raise BadInput(f"one page cannot hold {len(files)} results", place="--out", hint=hint)
    found = [read_result(path) for path in files]
    pages = [out or f"{path.removesuffix('.json')}.html" for path in files]
    for path, page in zip(files, pages, strict=True):
        if os.path.realpath(path) == os.path.realpath(page):
            hint = "name another file with `--out`"
            raise BadInput("the report would replace the result", place=page, hint=hint)
        check_report(page)
    for result, page in zip(found, pages, strict=True):
        write_report(result, page)
        say.text(page)
    return 0


def sparkline(values: Sequence[float | None], columns: int, bars: str = BARS) -> str:
    """One character for each of at most `columns` stretches of a series: the largest seen in it.

    Heights count from zero to the largest value; a stretch where nobody counted is a space.
    """
    columns = min(columns, len(values))
    top = max((value for value in values if value is not None), default=0.0) or 1.0
    drawn = []
    for n in range(columns):
        part = values[len(values) * n // columns : len(values) * (n + 1) // columns]
        most = max((value for value in part if value is not None), default=None)
        height = 0 if most is None else round(max(most, 0.0) / top * (len(bars) - 1))
        drawn.append(" " if most is None else bars[height])
    return "".join(drawn)


def _show_series(result: Result) -> None:
    """Small plots of the run, phases below: o opening, h hold, l letting go."""
    series = result.series
    if not series.at_s:
        return
    rows: tuple[tuple[str, Sequence[float | None], str], ...] = (
        ("client", series.client, f"{max(series.client):,}"),
        ("app", series.app, _most(series.app)),
        ("kernel", series.kernel, _most(series.kernel)),
        ("answers", series.rate, f"{max(series.rate):,.0f}/s"),
        ("memory", series.memory_bytes, format_bytes(max(series.memory_bytes))),
        ("processor", series.cpu_busy, f"{max(series.cpu_busy):.0%}"),
    )
    bars = BARS if _can_print(BARS) else ASCII_BARS
    say.text()
    for name, values, most in rows:
        if any(value is not None for value in values):
            say.text(f"  {name:<10} {sparkline(values, PLOT_COLUMNS, bars)}  {most} at most")
    columns = min(PLOT_COLUMNS, len(series.phase))
    letters = [LETTERS[series.phase[len(series.phase) * n // columns]] for n in range(columns)]
    say.text(f"  {'phase':<10} {''.join(letters)}  {format_seconds(series.at_s[-1])}")
    say.text("  (o opening, h hold, l letting go)")


def _most(values: Sequence[int | None]) -> str:
    return f"{max((value for value in values if value is not None), default=0):,}"


def _can_print(text: str) -> bool:
    try:
        text.encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return False
    return True


def _show_comparison(compared: Comparison) -> None:
    for line in compared.unlike:
        say.item("  unlike: ", line)
    columns = (("figure", False), ("before", True), ("after", True), ("by", True), ("", False))
    say.table(columns, [_row(figure) for figure in compared.figures])
    for figure in compared.figures:
        if figure.change in ("better", "worse"):
            say.item(f"  {figure.change}: ", f"{figure.name}: {figure.why}")
    worse = [figure.name for figure in compared.figures if figure.change == "worse"]
    if worse:
        say.item("worse beyond noise: ", ", ".join(worse))
    elif compared.exit_code:
        say.text("nothing can be said: a run was void")
    else:
        say.text("nothing is worse beyond noise")


def _row(figure: Figure) -> tuple[str, ...]:
    before, after = (shown(value, figure.unit) for value in (figure.before, figure.after))
    by = "-"
    if figure.before and figure.after is not None:
        by = f"{figure.after / figure.before - 1:+.1%}"
    return figure.name, before, after, by, figure.change
