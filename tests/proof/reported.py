"""Results for the tests of report, comparison and command, of any length. Tests nothing."""

from __future__ import annotations

import msgspec

from holdfast.load.histogram import index_of
from holdfast.proof import result as results
from holdfast.proof.moment import Series
from holdfast.proof.planned import PlannedLimit, PlannedPath
from holdfast.proof.result import Result

replace = msgspec.structs.replace


def series(opening: int = 3, hold: int = 20, letting: int = 2, asked: int = 2000) -> Series:
    """So many moments of each phase, a second apart, everyone in flight in the hold."""
    phases = ["opening"] * opening + ["hold"] * hold + ["letting go"] * letting
    count = len(phases)
    rates = [0.0] * opening + [1000.0 + 7 * (n % 5) for n in range(count - opening)]
    return Series(
        phase=phases,  # type: ignore[arg-type]
        at_s=[float(n + 1) for n in range(count)],
        client=[asked + 80] * count,
        app=[asked + 60] * count,
        kernel=[asked + 80 if n % 3 == 0 else None for n in range(count)],
        rate=rates,
        answered=[int(sum(rates[: n + 1])) for n in range(count)],
        failed=[0] * count,
        idle=[0] * count,
        opening=[0] * count,
        queued=[0] * count,
        memory_bytes=[(200 + n % 3) << 20 for n in range(count)],
        lag_s_max=[0.001] * count,
        cpu_busy=[0.5 + n % 2 / 50 for n in range(count)],
        memory_parts={
            "workers": [150 << 20] * count,
            "kernel": [-(n == 0) or 30 << 20 for n in range(count)],
        },
    )


def plan() -> PlannedPath:
    """A plan with a limit that is counted, one past its capacity, and one that nobody measured."""
    limits = [
        PlannedLimit("workers", "descriptors", "process", 2, 1100.0, 2000, 2001, 2002, "fds", 1090),
        PlannedLimit("kernel", "processor", "host", 1, 2.0, 3000, 3000, 4000, "cores", 2.5),
        PlannedLimit("upstream", "descriptors", "process", 1, None, None, None, None, "fds"),
    ]
    return PlannedPath(2080, 0, 2.0, 1040.0, 220 << 20, {"workers": 220 << 20}, limits)


def held(**changes: object) -> Result:
    """A run that held 2,000, with a plan and some thousand answers between 1.5 and 3 s."""
    times = {index_of(1_500_000_000 + n * 15_000_000): 200 - n for n in range(100)}
    spread = results.Spread(1800.0, 2500.0, 2900.0, 2990.0, 3000.0)
    made = Result(
        version=results.VERSION,
        verdict="held",
        reasons=[],
        notes=[],
        asked=2000,
        held=2060,
        held_by="app",
        failed=0,
        unfinished=0,
        answered=sum(times.values()),
        hold_s=20.0,
        memory_bytes=202 << 20,
        rate=1014.0,
        opened_s=3.0,
        idle=0,
        witnesses=results.Least(2080, 2060, 2080),
        errors={},
        first_error=None,
        counters={},
        totals=results.Totals(15050, 15050, 0, 15050, 0, 0),
        response_ms=spread,
        service_ms=spread,
        lag_ms=results.Spread(0.1, 0.2, 1.0, 2.0, 3.0),
        memory=results.Memory(150 << 20, 10 << 20, 30 << 20, 12 << 20, 0, 9700.5, {"upstream": 1}),
        cpu=results.Cpu(0.5, 4.0, 12.0, {"upstream": 1.0}),
        series=series(),
        machine=results.About(2.0, 1 << 34, "6.1", "3.11", "0.1", "a model"),
        started_at="2026-11-20T12:00:00+00:00",
        histograms=results.Histograms(times, times, {}),
        planned=plan(),
    )
    return replace(made, **changes)


def never_began() -> Result:
    """A run whose opening came to nothing: no hold, nobody answered, a witness missing."""
    opening = series(opening=10, hold=0, letting=0)
    return held(
        verdict="not held",
        reasons=["the hold never began: after 30 s no count rose any more"],
        held=0,
        hold_s=0.0,
        rate=0.0,
        answered=0,
        failed=5,
        errors={"reset": 5},
        first_error="reset: <script>alert('x')</script> & " + "é" * 20_000,
        counters={"ListenOverflows": 4511},
        witnesses=results.Least(0, None, None),
        series=replace(opening, app=[None] * 10, kernel=[None] * 10, memory_parts={}),
        histograms=results.Histograms({}, {}, {}),
        response_ms=results.Spread(0, 0, 0, 0, 0),
        service_ms=results.Spread(0, 0, 0, 0, 0),
        planned=None,
    )


def empty() -> Result:
    """A run that was cut before its first look, with the longest names there may be."""
    nothing = series(0, 0, 0)
    return held(verdict="void", series=nothing, errors={"x" * 300: 1}, notes=["y" * 500])


def by_rate() -> Result:
    """A run that kept 1,000 a second, as it was asked to."""
    spread = results.Spread(0.1, 0.2, 0.5, 0.9, 1.0)
    paced = results.OpenLoop(1000.0, "poisson", 20.0, 64, 1000.0, 1000.0, 999.5, spread)
    return held(asked=0, held=40, planned=None, open_loop=paced)
