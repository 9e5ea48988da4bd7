"""The charts of a result: what is drawn against what, and what it says to who cannot see it.

Decides no colour and no size. Reads columns, never a file.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

from holdfast.load.histogram import middle_ns
from holdfast.model.units import format_bytes, format_count, format_seconds
from holdfast.proof.moment import Phase, Series
from holdfast.proof.report.svg import COLORS, Chart, Dashes, Line
from holdfast.proof.report.words import witness_rows
from holdfast.proof.result import Result

SECONDS = "seconds since the start"
PARTS = {"kernel": "c4", "workers": "c1", "services": "c3", "generator": "c2", "other": "c5"}
"""The parts of memory from the ground up, each with its colour; other groups count as `other`."""
LOG_FROM = 30
"""Times are drawn on a logarithmic scale where the longest is so many times the median."""


def phases(series: Series) -> Iterator[tuple[Phase, float, float]]:
    """Each phase with its first and last second; a phase begins where the one before ended."""
    start_s = 0.0
    for index, phase in enumerate(series.phase):
        is_end = index + 1 == len(series.phase)
        if is_end or series.phase[index + 1] != phase:
            yield phase, start_s, series.at_s[index]
            start_s = series.at_s[index]


def in_flight(result: Result, name: str, size: tuple[int, int]) -> str:
    """Requests in flight by witness over time, with what was asked."""
    series, chart = result.series, Chart(name, size)
    columns: dict[str, Sequence[int | None]] = {
        "client": series.client,
        "app": series.app,
        "kernel": series.kernel,
    }
    top = max((n for column in columns.values() for n in column if n is not None), default=0)
    _over_time(chart, series, "requests in flight", max(top, result.asked), format_short)
    looks: dict[str, tuple[str, Dashes, float]] = {
        "client": ("c6", "-", 4.5),
        "app": ("c1", "-", 1.6),
        "kernel": ("c4", ":", 2.2),
    }
    for who, column in columns.items():
        role, dashes, width = looks[who]
        chart.line(series.at_s, column, Line(_at_hold(series, column), who, role, dashes, width))
    chart.level(Line(result.asked, f"asked {format_short(result.asked)}", "c5", "--", 1.3))
    told = ", ".join(f"{who} {count}" for who, count in witness_rows(result))
    return chart.svg(
        "Requests in flight by witness over time",
        f"{result.asked:,} were asked. Least by witness: {told}.",
    )


def percentiles(result: Result) -> str | None:
    """Response and service time by percentile, the tail spread out; None where nobody answered."""
    found = result.histograms
    if not found.response:
        return None
    chart, longest = Chart("percentiles"), max(result.response_ms.max, result.service_ms.max)
    unit, scale = ("ms", 1e6) if longest < 2000 else ("s", 1e9)
    count = sum(found.response.values())
    chart.titles("percent of answers, tail spread out", f"time, {unit}")
    axes = chart.axes
    axes.set_xlim(0, max(1.0, math.log10(count)))
    ends = [
        Line(result.service_ms.max * 1e6 / scale, "service", "c2", "-", 4.5),
        Line(result.response_ms.max * 1e6 / scale, "response", "c1", "-", 1.6),
    ]
    for end, buckets in zip(ends, (found.service, found.response), strict=True):
        x, y = tail(buckets)
        axes.plot(
            x,
            [ns / scale for ns in y],
            color=COLORS[end.role],
            linewidth=end.width,
            drawstyle="steps-pre",
        )
        chart.label(end)
    marks = [
        p for p in (0, 50, 90, 99, 99.9, 99.99, 99.999, 99.9999) if _nines(p) <= math.log10(count)
    ]
    axes.set_xticks([_nines(p) for p in marks], [f"{p:g}" for p in marks])
    if longest > LOG_FROM * max(result.response_ms.p50, 1e-6):
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    else:
        axes.set_ylim(0, longest * 1e6 / scale * 1.08)
    told = ", ".join(
        f"{p} % {format_seconds(ms / 1e3)}"
        for p, ms in zip(
            (50, 90, 99),
            (result.response_ms.p50, result.response_ms.p90, result.response_ms.p99),
            strict=True,
        )
    )
    return chart.svg("Response and service time by percentile", f"Response time: {told}.")


def rates(result: Result) -> str:
    """Answers a second over time, failures where there were any, and the planned rate."""
    series, chart = result.series, Chart("rates")
    plan = result.planned.rate if result.planned else None
    failed = _a_second(series.at_s, series.failed)
    _over_time(
        chart,
        series,
        "answers a second",
        max(*series.rate, *failed, plan or 0, 0) if series.rate else 0,
        format_short,
    )
    chart.line(series.at_s, series.rate, Line(_at_hold(series, series.rate), "answered", "c1"))
    if result.failed:
        chart.line(series.at_s, failed, Line(_at_hold(series, failed), "failed", "c5", ":", 2.2))
    if plan:
        chart.level(Line(plan, "planned", "ink", "--", 1.1))
    told = f"{result.rate:,.0f} a second over the hold"
    return chart.svg(
        "Answers a second over time", told + (f", {plan:,.0f} planned." if plan else ".")
    )


def memory(result: Result) -> str:
    """Growth of used memory over time by part, stacked, with the plan."""
    series, chart = result.series, Chart("memory")
    plan = result.planned.memory_bytes if result.planned else 0
    parts = stacked(series)
    totals = [sum(row) for row in zip(*parts.values(), strict=True)]
    top = max([*totals, *series.memory_bytes, plan, 1])
    size, unit = next(
        (s, u)
        for s, u in ((2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB"))
        if top >= s or s == 2**10
    )
    _over_time(chart, series, f"memory of the whole machine, {unit}", top / size, format_short)
    floor = [0.0] * len(series.at_s)
    for name, column in parts.items():
        above = [low + part / size for low, part in zip(floor, column, strict=True)]
        role = PARTS[name]
        chart.axes.fill_between(
            series.at_s, floor, above, color=COLORS[role], alpha=0.55, linewidth=0
        )
        chart.axes.plot(series.at_s, above, color=COLORS[role], linewidth=1)
        middle = (_at_hold(series, floor) + _at_hold(series, above)) / 2
        text = name if len(parts) > 1 else "used"
        chart.label(Line(middle, text, role, "-", 6))
        floor = above
    if plan:
        chart.level(Line(plan / size, "planned", "ink", "--", 1.1))
    told = f"{format_bytes(result.memory_bytes)} at the most"
    return chart.svg(
        "Memory of the whole machine over time, by part",
        told + (f", {format_bytes(plan)} planned." if plan else "."),
    )


def processor(result: Result) -> str:
    """The part of all cores that was busy, over time."""
    series, chart = result.series, Chart("processor")
    busy = [100 * share for share in series.cpu_busy]
    _over_time(chart, series, f"processor, % of {result.machine.cores:g} cores", 100, str)
    chart.axes.set_ylim(0, 118)
    chart.axes.set_yticks(range(0, 101, 25), [f"{n}" for n in range(0, 101, 25)])
    chart.line(series.at_s, busy, Line(_at_hold(series, busy), "busy", "c1"))
    return chart.svg(
        "Processor use over time", f"{result.cpu.busy:.0%} of all cores over the hold."
    )


def stacked(series: Series) -> dict[str, list[int]]:
    """Parts of memory that sum to what is used, none below zero; one part where none are known."""
    if not series.memory_parts:
        return {"workers": [max(0, size) for size in series.memory_bytes]}
    found = {
        name: [max(0, size) for size in series.memory_parts[name]]
        for name in PARTS
        if name in series.memory_parts
    }
    known = [sum(row) for row in zip(*found.values(), strict=True)]
    found["other"] = [
        max(0, total - part) for total, part in zip(series.memory_bytes, known, strict=True)
    ]
    return {name: column for name, column in found.items() if any(column)} or {"workers": known}


def tail(buckets: dict[int, int]) -> tuple[list[float], list[float]]:
    """Where a histogram's steps lie on the tail's axis, and their times in nanoseconds."""
    count, reached = sum(buckets.values()), 0
    x, y = [0.0], [middle_ns(min(buckets))]
    for index in sorted(buckets):
        reached += buckets[index]
        left = count - reached
        x.append(math.log10(count / left) if left else math.log10(count))
        y.append(middle_ns(index))
    return x, y


def format_short(value: float, _: object = None) -> str:
    """An axis's number in little room: 50k, 1.5M, 250."""
    for size, suffix in ((1e6, "M"), (1e3, "k")):
        if abs(value) >= size * (10 if suffix == "k" else 1):
            return f"{value / size:,.4g}{suffix}"
    return f"{value:,.4g}" if abs(value) < 1000 else format_count(value)


def _over_time(
    chart: Chart, series: Series, what: str, top: float, form: Callable[..., str]
) -> None:
    """Axes over the run's seconds, phases marked, from 0 to a little above `top`."""
    chart.titles(SECONDS, what)
    last_s = series.at_s[-1] if series.at_s else 1.0
    chart.axes.set_xlim(0, max(last_s, 1e-3))
    chart.axes.set_ylim(0, top * 1.18 or 1)
    chart.axes.yaxis.set_major_formatter(form)
    for phase, start_s, end_s in phases(series):
        lasted = format_seconds(round(end_s - start_s))
        chart.band(start_s, end_s, f"{phase} {lasted}", shaded=phase == "hold")


def _at_hold(series: Series, column: Sequence[float | None]) -> float:
    """The last known value of the hold, where a label is put; of the run where none began."""
    held = [v for v, p in zip(column, series.phase, strict=True) if p == "hold" and v is not None]
    known = held or [value for value in column if value is not None] or [0.0]
    return known[-1]


def _a_second(at_s: Sequence[float], totals: Sequence[int]) -> list[float]:
    """Totals so far as so many a second since the moment before."""
    found, before = [], (0.0, 0)
    for now_s, total in zip(at_s, totals, strict=True):
        passed_s = now_s - before[0]
        found.append((total - before[1]) / passed_s if passed_s > 0 else 0.0)
        before = (now_s, total)
    return found


def _nines(percent: float) -> float:
    return math.log10(100 / (100 - percent))
