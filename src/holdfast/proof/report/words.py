"""What a report says in words and numbers: headline, tiles, facts. Pure; knows no HTML."""

from __future__ import annotations

from typing import Final

import msgspec

from holdfast.model.units import format_bytes, format_count, format_seconds
from holdfast.proof.planned import PlannedLimit
from holdfast.proof.result import Result
from holdfast.proof.verdict import Verdict

Row = tuple[str, str]
"""A name and what it is."""

MARKS: Final[dict[Verdict, str]] = {"held": "✓", "not held": "✗", "void": "?"}
MEANINGS: Final[dict[Verdict, str]] = {
    "held": "every witness counted what was asked, through the whole hold",
    "not held": "less than what was asked, for these reasons",
    "void": "the generator or the machine was the bottleneck, so the run says nothing",
}
KEPT: Final = "every request that was due went, and was answered as it should be"
"""What held means of a run by rate."""


class Headline(msgspec.Struct, frozen=True):
    """What is read first: the verdict, one sentence, and the figures beside it."""

    verdict: Verdict
    sentence: str
    detail: str
    tiles: tuple[Row, ...]


def headline(result: Result) -> Headline:
    """The verdict in one sentence with its figures; of whatever kind the run was."""
    began = "hold" in result.series.phase
    if result.open_loop is not None:
        paced = result.open_loop
        sentence = (
            f"{paced.answered_rate:,.0f} requests a second answered for "
            f"{format_seconds(paced.for_s)}; {paced.rate:,.0f} were asked, "
            f"{paced.arrivals} arrivals"
        )
        meaning = KEPT if result.verdict == "held" else MEANINGS[result.verdict]
        return Headline(result.verdict, sentence, meaning, _tiles(result))
    over = f" for {format_seconds(result.hold_s)}" if began else ", and no hold began"
    sentence = f"{result.held:,} in flight{over}; {result.asked:,} were asked"
    return Headline(result.verdict, sentence, MEANINGS[result.verdict], _tiles(result))


def _tiles(result: Result) -> tuple[Row, ...]:
    idle = (f"{result.idle:,}", "idle clients beside")
    busy = (f"{result.cpu.busy:.0%}", "of all cores busy")
    return (
        (f"{result.held:,}", f"least in flight, by the {result.held_by}"),
        (f"{result.failed:,}", f"failed of {result.totals.sent:,} sent"),
        (f"{result.rate:,.0f}/s", "answers over the hold"),
        (_ms(result.response_ms.p50), "median response time"),
        (_ms(result.response_ms.p99), "99 % within"),
        (format_bytes(result.memory_bytes), "memory, whole machine"),
        (format_seconds(result.opened_s), "to open"),
        idle if result.idle else busy,
    )


def rate_rows(result: Result) -> tuple[Row, ...]:
    """Answers a second over the hold: their mean, the worst and the best moment, the plan."""
    series = result.series
    held = [rate for rate, phase in zip(series.rate, series.phase, strict=True) if phase == "hold"]
    rows = [("mean", result.rate)]
    if held:
        rows += [("lowest moment", min(held)), ("highest moment", max(held))]
    if result.planned:
        rows.append(("planned, in flight over mean time", result.planned.rate))
    return tuple((name, f"{rate:,.0f}/s") for name, rate in rows)


def witness_rows(result: Result) -> tuple[Row, ...]:
    """Each witness with its smallest count over the hold."""
    least = result.witnesses
    counts = {"client": least.client, "app": least.app, "kernel": least.kernel}
    return tuple((name, "-" if n is None else f"{n:,}") for name, n in counts.items())


def request_rows(result: Result) -> tuple[Row, ...]:
    """Every request, in one place each."""
    totals = msgspec.structs.asdict(result.totals)
    rows = [(name, f"{count:,}") for name, count in totals.items()]
    if (paced := result.open_loop) is not None:
        rows.append(("connections, at most", f"{paced.connections:,}"))
        rows.append(("99 % went late by", _ms(paced.lag_ms.p99)))
    return tuple(rows)


def time_rows(result: Result) -> tuple[tuple[str, ...], ...]:
    """A percentile in each row: of response time, service time and the generator's lag."""
    spreads = (result.response_ms, result.service_ms, result.lag_ms)
    names = {"50 %": "p50", "90 %": "p90", "99 %": "p99", "99.9 %": "p999", "longest": "max"}
    return tuple(
        (name, *(_ms(getattr(spread, field)) for spread in spreads))
        for name, field in names.items()
    )


def memory_rows(result: Result) -> tuple[tuple[str, int], ...]:
    """Bytes by part, at the moment of the largest growth; groups of processes stand by name."""
    memory, groups = result.memory, result.memory.groups
    rest = memory.other - sum(groups.values())
    parts = {"workers": memory.workers, "kernel": memory.kernel, "generator": memory.generator}
    parts |= groups | {"other": rest}
    return tuple((name, size) for name, size in parts.items() if size)


def processor_rows(result: Result) -> tuple[Row, ...]:
    """Processor seconds over the hold by group, and the whole machine's share."""
    cpu = result.cpu
    seconds = {"workers": cpu.workers_s, "generator": cpu.generator_s, **cpu.groups_s}
    rows = tuple((name, f"{number:,.1f} s") for name, number in seconds.items() if number)
    return (("all cores", f"{cpu.busy:.1%} busy"), *rows)


def machine_rows(result: Result) -> tuple[Row, ...]:
    """The machine, the versions and the date."""
    about = result.machine
    return (
        ("processor", f"{about.cores:g} cores, {about.cpu_model}"),
        ("memory", format_bytes(about.memory_bytes)),
        ("kernel", f"Linux {about.kernel}"),
        ("versions", f"CPython {about.python}, Holdfast {about.holdfast}"),
        ("started", result.started_at.replace("T", " ").replace("+00:00", " UTC")),
    )


def amount(value: float | None, unit: str) -> str:
    """A capacity or a use: `2.1 GiB`, `1.86 cores`; a bare number where the resource names it."""
    if value is None:
        return "unlimited"
    if unit == "bytes":
        return format_bytes(value)
    return f"{value:.2f} cores" if unit == "cores" else format_count(value)


def used_share(limit: PlannedLimit) -> float | None:
    """The part of one scope's capacity that was used; None where either is not known."""
    if limit.used is None or not limit.capacity:
        return None
    return limit.used / limit.capacity


def each(limit: PlannedLimit) -> str:
    """`each of 4` where a limit has several equal scopes."""
    return f"each of {limit.scopes:,}" if limit.scopes > 1 else ""


def holds(limit: PlannedLimit) -> tuple[str, str, str]:
    """Sure, onset and best, in requests in flight."""
    found = [
        "unlimited" if count is None else format_count(count)
        for count in (limit.sure, limit.onset, limit.best)
    ]
    return found[0], found[1], found[2]


def _ms(milliseconds: float) -> str:
    return format_seconds(milliseconds / 1e3)
