"""From the story of a run to its result: the smallest, the largest, the differences. Pure but for
the machine's description. Must not decide the verdict, nor read what is still moving.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from holdfast import __version__
from holdfast.load.counts import FleetSample, FleetTotals
from holdfast.load.histogram import Histogram
from holdfast.load.plan import LoadPlan
from holdfast.model.errors import HoldfastError
from holdfast.observe.host import read_host
from holdfast.proof.kernel import moved
from holdfast.proof.machine import Machine, Used, foreign_share
from holdfast.proof.moment import Series, Witnesses
from holdfast.proof.plan import ProofPlan
from holdfast.proof.planned import PlannedPath, with_used
from holdfast.proof.result import (
    VERSION,
    About,
    Cpu,
    Histograms,
    Least,
    Memory,
    OpenLoop,
    Result,
    Spread,
    Totals,
)
from holdfast.proof.used import EVENT_LOOP, MEMORY, PROCESSOR, busiest, largest
from holdfast.proof.verdict import ByRate, Evidence, Generator, Stop, judge
from holdfast.proof.watch import GENERATOR, WORKERS, Sighting

KERNEL: Final = "kernel"
"""The part of memory that grows with sockets; the other parts are groups of processes."""
HOLD_MEAN_TIMES: Final = 3
"""A shorter hold answers too few of its clients to say much about answering; it is noted."""


class Story(msgspec.Struct, frozen=True):
    """All that a run saw. `hold` is the part of the sightings that belongs to the hold.

    `before` is the machine before anything was started (`is_before_all`) or at the start of the
    run, `base` what the groups used before the load.
    """

    plan: ProofPlan
    started_at: str
    base: dict[str, Used]
    before: Machine
    is_before_all: bool
    at_start: Machine
    sightings: list[Sighting]
    hold: slice
    stop: Stop
    opened_s: float
    hold_s: float
    run_s: float
    totals: FleetTotals
    kernel_refused: HoldfastError | None
    has_app: bool
    planned: PlannedPath | None = None

    @property
    def held(self) -> list[Sighting]:
        """The sightings of the hold; empty where it never began."""
        return self.sightings[self.hold]

    @property
    def weighed(self) -> list[Sighting]:
        """Those that count: of the hold, or of the opening where no hold began."""
        return self.held or self.sightings[: self.hold.start]


def summarise(story: Story) -> Result:
    """The result, with its verdict."""
    plan, totals = story.plan, story.totals
    about = describe()
    evidence = _evidence(story, about.cores)
    verdict, reasons = judge(evidence)
    held, held_by = evidence.least.least()
    first, last = story.weighed[0], story.weighed[-1]
    passed_s = last.sample.at_s - first.sample.at_s
    answered = last.sample.answered - first.sample.answered
    return Result(
        version=VERSION,
        verdict=verdict,
        reasons=reasons,
        notes=_notes(story),
        asked=plan.asked,
        held=held,
        held_by=held_by,
        failed=totals.failed,
        unfinished=totals.unfinished,
        answered=totals.answered,
        hold_s=round(story.hold_s, 3),
        memory_bytes=max(seen.moment.memory_bytes for seen in story.weighed),
        rate=round(answered / passed_s, 2) if passed_s > 0 else 0.0,
        opened_s=round(story.opened_s, 3),
        idle=evidence.idle,
        witnesses=Least(evidence.least.client, evidence.least.app, evidence.least.kernel),
        errors=dict(totals.errors),
        first_error=totals.first_error,
        counters=evidence.counters,
        totals=Totals(
            totals.intended,
            totals.sent,
            totals.unsent,
            totals.answered,
            totals.failed,
            totals.unfinished,
            totals.refused,
        ),
        response_ms=_spread(totals.response),
        service_ms=_spread(totals.service),
        lag_ms=_spread(totals.lag),
        memory=_memory(story),
        cpu=_cpu(first, last, evidence.foreign_share),
        series=_series(story),
        machine=about,
        started_at=story.started_at,
        histograms=Histograms(
            totals.response.sparse(), totals.service.sparse(), totals.lag.sparse()
        ),
        planned=_planned(story, about.cores),
        open_loop=_open_loop(story) if plan.load.rate else None,
    )


def _evidence(story: Story, cores: float) -> Evidence:
    plan, totals, weighed = story.plan, story.totals, story.weighed
    return Evidence(
        asked=plan.asked,
        idle_asked=plan.idle,
        hold_asked_s=plan.hold_s,
        began=bool(story.held),
        hold_s=story.hold_s,
        opened_s=story.opened_s,
        run_s=story.run_s,
        least=_least(story),
        idle=min(seen.moment.idle for seen in (story.held or weighed[-1:])),
        answered=totals.answered,
        failed=totals.failed,
        refused=totals.refused,
        errors=dict(totals.errors),
        first_error=totals.first_error,
        counters=moved(story.at_start.counters, weighed[-1].machine.counters),
        generator=_generator(weighed),
        stop=story.stop,
        mean_time_s=plan.mean_time_s,
        by_rate=_by_rate(totals) if plan.load.rate else None,
        streams=weighed[-1].sample.granted,
        foreign_share=_foreign_share(story, cores),
        busy=weighed[-1].machine.busy(weighed[0].machine),
    )


def _foreign_share(story: Story, cores: float) -> float | None:
    """What others took of the processors; None where that cannot be told.

    A server that was there before the run is not told from other programs, and programs on cores
    that the run may not use take nothing from it.
    """
    if not story.is_before_all or cores < (os.cpu_count() or 1):
        return None
    first, last = story.weighed[0], story.weighed[-1]
    return foreign_share(first.machine, last.machine, last.own_s - first.own_s)


def _by_rate(totals: FleetTotals) -> ByRate:
    late_s = totals.late.percentile_s(99)
    return ByRate(totals.intended, totals.unsent, totals.unfinished, late_s)


def _open_loop(story: Story) -> OpenLoop:
    load, totals = story.plan.load, story.totals
    return OpenLoop(
        rate=load.rate,
        arrivals=load.arrivals,
        for_s=load.for_s,
        connections=load.clients,
        intended_rate=round(totals.intended / load.for_s, 2),
        sent_rate=round(totals.sent / load.for_s, 2),
        answered_rate=round(totals.answered / load.for_s, 2),
        lag_ms=_spread(totals.late),
    )


def _least(story: Story) -> Witnesses:
    """The smallest of each witness over the hold, or what there was when opening ended in vain."""
    seen = [sighting.moment.witnesses for sighting in story.held or story.weighed[-1:]]
    return Witnesses(
        at_s=seen[0].at_s,
        client=min(one.client for one in seen),
        app=_smallest(one.app for one in seen),
        kernel=_smallest(one.kernel for one in seen),
    )


def _smallest(counts: Iterable[int | None]) -> int | None:
    return min((count for count in counts if count is not None), default=None)


def _generator(weighed: list[Sighting]) -> Generator:
    """How the generator fared: differences from the first sighting that counts to the last."""
    first, last = weighed[0], weighed[-1]
    passed_s = last.sample.at_s - first.sample.at_s
    cpu_s = growth(first.sample.cpu_s, last.sample.cpu_s)
    # The first sighting's lag is what happened before it.
    lags = [seen.moment.lag_s_max for seen in weighed[1:]]
    return Generator(
        processes=len(last.sample.cpu_s),
        dead=last.sample.dead,
        stopped=max(seen.used[GENERATOR].stopped for seen in weighed),
        lag_s_max=max(lags, default=0.0),
        lag_lost_s=growth(first.sample.lag_lost_s, last.sample.lag_lost_s),
        cpu_share_max=cpu_s / passed_s if passed_s > 0 else 0.0,
    )


def growth(before: Sequence[float], after: Sequence[float]) -> float:
    """The most by which one process's number grew; sums of several begin anywhere."""
    return max((new - old for old, new in zip(before, after, strict=True)), default=0.0)


def _memory(story: Story) -> Memory:
    """Where memory is, at the moment of its largest growth."""
    peak = max(story.weighed, key=lambda seen: seen.moment.memory_bytes)
    groups = _parts(story, peak)
    workers, generator, kernel = (groups.pop(n, 0) for n in (WORKERS, GENERATOR, KERNEL))
    under_load = peak.used.get(WORKERS, Used()).bytes - story.base.get(WORKERS, Used()).bytes
    counts = peak.moment.witnesses
    in_flight = counts.client if counts.app is None else counts.app
    return Memory(
        workers=workers,
        generator=generator,
        kernel=kernel,
        other=peak.moment.memory_bytes - workers - generator - kernel,
        reclaimable=peak.machine.reclaimable_bytes - story.before.reclaimable_bytes,
        bytes_per_request=round(under_load / in_flight, 1) if in_flight > 0 else 0.0,
        groups=groups,
    )


def _parts(story: Story, seen: Sighting) -> dict[str, int]:
    """The growth of memory that has a name: each group of processes, and the kernel."""
    grown = {name: used.bytes for name, used in seen.used.items()}
    if not story.is_before_all:  # then the groups were there before, but the generator was not
        grown = {n: size - story.base.get(n, Used()).bytes for n, size in grown.items()}
    return grown | {KERNEL: seen.machine.kernel_bytes - story.before.kernel_bytes}


def _series(story: Story) -> Series:
    series = Series.of(seen.moment for seen in story.sightings)
    parts = [_parts(story, seen) for seen in story.sightings]
    names = list(dict.fromkeys(name for row in parts for name in row))
    columns = {name: [row.get(name, 0) for row in parts] for name in names}
    return msgspec.structs.replace(series, memory_parts=columns)


def _planned(story: Story, cores: float) -> PlannedPath | None:
    """The plan beside what was used: the most of what is counted, the mean of what is a rate."""
    if story.planned is None:
        return None
    first, last = story.weighed[0], story.weighed[-1]
    before, after = (seen.used.get(WORKERS, Used()).each_s for seen in (first, last))
    passed_s = last.sample.at_s - first.sample.at_s
    used = largest(seen.counts for seen in story.sightings)
    used[MEMORY] = max(seen.moment.memory_bytes for seen in story.weighed)
    used[PROCESSOR] = round(last.machine.busy(first.machine) * cores, 3)
    used[EVENT_LOOP] = round(busiest(before, after, passed_s), 3)
    return with_used(story.planned, used)


def _cpu(first: Sighting, last: Sighting, foreign: float | None) -> Cpu:
    def seconds(name: str) -> float:
        before, after = first.used.get(name, Used()), last.used.get(name, Used())
        return round(after.cpu_s - before.cpu_s, 2)

    others = {name: seconds(name) for name in last.used if name not in (GENERATOR, WORKERS)}
    busy = round(last.machine.busy(first.machine), 4)
    share = None if foreign is None else round(foreign, 4)
    return Cpu(busy, seconds(GENERATOR), seconds(WORKERS), others, share)


def _spread(histogram: Histogram) -> Spread:
    points = (50, 90, 99, 99.9, 100)
    return Spread(*(round(histogram.percentile_s(point) * 1e3, 3) for point in points))


def _notes(story: Story) -> list[str]:
    """What a reader should know besides the verdict."""
    plan, found = story.plan, []
    if not story.has_app:
        found.append("two witnesses, client and kernel: the app's own count was not to be had")
    if story.kernel_refused is not None:
        found.append(f"no kernel witness: {story.kernel_refused.fault}")
    elif (counted := _kernel_counts(story)) < len(story.held) / 2:
        looks = f"{counted} of {len(story.held)} looks"
        found.append(f"the kernel's sockets are many: they were counted at {looks}")
    if closed := story.totals.idle_closed:
        found.append(f"the server closed idle clients {closed:,} times; each came back")
    if plan.mean_time_s is not None and plan.hold_s < HOLD_MEAN_TIMES * plan.mean_time_s:
        found.append(
            f"the hold is shorter than {HOLD_MEAN_TIMES} mean times of {plan.mean_time_s:g} s:"
            " not every client was asked again"
        )
    return found + _spoken(plan.load, story.weighed[-1].sample)


def _spoken(load: LoadPlan, last: FleetSample) -> list[str]:
    """What the clients spoke, where it is not HTTP/1.1 without TLS."""
    found = []
    if load.streams > 1:
        shared = f"HTTP/2: {last.sockets:,} connections carried all clients"
        found.append(
            f"{shared}; the kernel counts each as the {last.granted:,} streams it may have"
        )
    if last.granted < load.streams:
        found.append(
            f"the server takes {last.granted:,} streams a connection, {load.streams:,} were asked:"
            " more connections were opened"
        )
    if load.tls and not load.ca:
        found.append("TLS: the server's certificate was not verified (no `--ca`)")
    return found


def _kernel_counts(story: Story) -> int:
    """At how many looks of the hold the kernel was asked. Fewer than half is worth a note."""
    return sum(seen.moment.witnesses.kernel is not None for seen in story.held)


def describe() -> About:
    """This machine and the versions, as a result or a profile names them."""
    host = read_host()
    values = {value.setting: value.value for value in host.values}
    return About(
        cores=host.cores,
        memory_bytes=host.memory_bytes,
        kernel=str(values.get("kernel_release") or platform.release()),
        python=platform.python_version(),
        holdfast=__version__,
        cpu_model=str(values.get("cpu_model") or platform.machine()),
    )
