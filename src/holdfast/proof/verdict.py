"""From what was counted to a verdict and its reasons. Pure: plain values in, words out.

Void beats not held beats held. Must not know how anything was counted.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from holdfast.model.units import format_count, format_seconds
from holdfast.proof.moment import Witnesses

Verdict = Literal["held", "not held", "void"]
Stop = Literal["", "interrupted", "ceiling", "stalled"]

LAG_MOST_S: Final = 1.0
"""A generator process that slept through a second was stopped or starved: it may have missed a
whole sample of the hold, so nothing that it counted then is evidence."""
LAG_LOST_MOST: Final = 0.05
"""A process that spent more than 5 % of the hold in lags over 50 ms answered late by itself: one
request in twenty would be charged to the server for the generator's time."""
CPU_MOST: Final = 0.9
"""A process that needs more than 90 % of a core has answers waiting in its own sockets most of
the time: the rate is then its own, not the server's."""
OWN_SHORTAGES: Final = {
    "EMFILE": "raise the limit of open files (`ulimit -n`)",
    "EADDRNOTAVAIL": "widen net.ipv4.ip_local_port_range, no local port was free",
}
"""Errors by which the generator's own host denies it another client, and what helps; the server had
no part."""
LATE_MOST_S: Final = 0.05
"""A generator that sends one request in a hundred later than this, though it had a connection, does
not make the load that was asked for. At half of what it can do it is under 1 ms."""
FOREIGN_MOST: Final = 0.2
"""Other programs that take more than a fifth of all cores leave less than a planned run needs: the
demo asks for a third of what the processor allows. A run that held beside them held anyway."""
BUSY_MOST: Final = 0.97
"""Cores that were busy for more of the time had nothing left: whatever fell short, this comes first
to be looked at."""
TIMEOUTS: Final = ("connect timeout", "timeout")

WHO: Final = {
    "client": "the client counted",
    "app": "the app counted",
    "kernel": "the kernel counted",
}


class Generator(msgspec.Struct, frozen=True):
    """How the load generator fared over the hold (over the opening, where no hold began).

    `cpu_share_max` is the busiest process's part of a core; `lag_lost_s` the most that one process
    was late beyond 50 ms, summed.
    """

    processes: int = 1
    dead: int = 0
    stopped: int = 0
    lag_s_max: float = 0.0
    lag_lost_s: float = 0.0
    cpu_share_max: float = 0.0


class ByRate(msgspec.Struct, frozen=True):
    """What became of the requests that were due, and how late those went that had a connection."""

    intended: int
    unsent: int
    unfinished: int
    late_s_p99: float


class Evidence(msgspec.Struct, frozen=True):
    """All that a verdict is drawn from.

    `least` has the smallest of each witness over the hold, or what was reached where no hold began
    (`began` is False). `idle` is the fewest idle clients over the hold. `hold_s` and `run_s` are
    what passed, `hold_asked_s` what was asked. `counters` are those of the machine that moved.
    `streams` is how many requests a client's connection carries at most, by which the kernel's
    count of connections is multiplied. `foreign_share` is the part of all cores that other
    programs and the host took meanwhile; None where that is not known. `busy` is the part of all
    cores' time that anybody used.
    """

    asked: int
    idle_asked: int
    hold_asked_s: float
    began: bool
    hold_s: float
    opened_s: float
    run_s: float
    least: Witnesses
    idle: int
    answered: int
    failed: int
    errors: dict[str, int]
    first_error: str | None
    counters: dict[str, int]
    generator: Generator
    refused: int = 0
    stop: Stop = ""
    mean_time_s: float | None = None
    by_rate: ByRate | None = None
    streams: int = 1
    foreign_share: float | None = None
    busy: float = 0.0


def judge(evidence: Evidence) -> tuple[Verdict, list[str]]:
    """The verdict, and why: what voids it first, then what fell short. Held needs no reason."""
    void, short = _void(evidence), _short(evidence)
    if short:
        void += _crowded(evidence)
    if not void and not short:
        return "held", []
    if short and evidence.busy > BUSY_MOST:
        less = "a longer mean time (`--mean-time`)" if evidence.by_rate is None else "a lower rate"
        hint = f"{less} asks less of them"
        short.append(f"all cores were busy for {evidence.busy:.0%} of the time; {hint}")
    if short and evidence.counters:
        grown = ", ".join(f"{name} +{n:,}" for name, n in sorted(evidence.counters.items()))
        short.append(f"meanwhile the kernel counted {grown}")
    return ("void" if void else "not held"), void + short


def _void(seen: Evidence) -> list[str]:
    """Why the generator or the machine was the bottleneck, or the count has no second witness."""
    own = seen.generator
    over_s = seen.hold_s if seen.began else seen.opened_s
    found = []
    if own.dead:
        found.append(f"{own.dead} of {own.processes} generator processes died")
    if own.stopped:
        found.append(f"{own.stopped} of {own.processes} generator processes were stopped")
    if own.lag_s_max > LAG_MOST_S:
        late, most = format_seconds(own.lag_s_max), format_seconds(LAG_MOST_S)
        found.append(f"a generator process was {late} late; over {most} it proves nothing")
    if over_s > 0 and own.lag_lost_s > LAG_LOST_MOST * over_s:
        lost, whole = format_seconds(own.lag_lost_s), format_seconds(over_s)
        found.append(
            f"a generator process lost {lost} of {whole} in lags over 50 ms;"
            f" over {LAG_LOST_MOST:.0%} it proves nothing"
        )
    if own.cpu_share_max > CPU_MOST:
        found.append(
            f"a generator process used {own.cpu_share_max:.0%} of a core;"
            f" over {CPU_MOST:.0%} the rate is its own"
        )
    if seen.by_rate is not None and seen.by_rate.late_s_p99 > LATE_MOST_S:
        late, most = format_seconds(seen.by_rate.late_s_p99), format_seconds(LATE_MOST_S)
        found.append(f"1 % of requests went {late} late or more; over {most} it proves nothing")
    for name, hint in OWN_SHORTAGES.items():
        if count := seen.errors.get(name, 0) + seen.errors.get(f"idle {name}", 0):
            times = f"{name} {format_count(count)} times"
            found.append(f"the generator itself ran short: {times}; {hint}")
    drops = seen.counters.get("softnet_drops", 0)
    late_ones = sum(seen.errors.get(name, 0) for name in TIMEOUTS)
    if drops and late_ones:
        found.append(f"{late_ones:,} timed out while the machine itself dropped {drops:,} packets")
    if seen.least.app is None and seen.least.kernel is None:
        found.append("nobody but the client counted")
    return found


def _crowded(seen: Evidence) -> list[str]:
    """Whether other programs explain that a run fell short: it was slow, and nothing else."""
    share = seen.foreign_share
    is_slow = not seen.failed and seen.answered and seen.idle >= seen.idle_asked
    if share is None or share <= FOREIGN_MOST or not is_slow or seen.stop == "interrupted":
        return []
    return [
        f"other programs and the host took {share:.0%} of all cores;"
        f" over {FOREIGN_MOST:.0%} a run that fell short proves nothing"
    ]


def _short(seen: Evidence) -> list[str]:
    """What fell short of what was asked, each with its number."""
    found = []
    if not seen.began and seen.stop == "interrupted":
        found.append(f"interrupted after {format_seconds(seen.opened_s)}, before the hold began")
    elif not seen.began:
        why = "no count rose any more" if seen.stop == "stalled" else "the time to open was over"
        found.append(f"the hold never began: after {format_seconds(seen.opened_s)} {why}")
    elif seen.hold_s < seen.hold_asked_s:
        cut = f"{format_seconds(seen.hold_s)} of {format_seconds(seen.hold_asked_s)}"
        found.append(f"{seen.stop or 'cut off'} after a hold of {cut}")
    for name, who in WHO.items():
        count = getattr(seen.least, name)
        if count is not None and count < seen.asked:
            of = f" connections of {seen.streams} streams, for" * (
                name == "kernel" and seen.streams > 1
            )
            found.append(f"{who}{of} {count:,} in flight at the least, {seen.asked:,} were asked")
    if seen.idle < seen.idle_asked:
        found.append(f"{seen.idle:,} idle clients at the least, {seen.idle_asked:,} were asked")
    if seen.failed:
        first = f", the first: {seen.first_error}" if seen.first_error else ""
        found.append(f"{seen.failed:,} requests failed{first}")
    if seen.refused:
        found.append(f"{seen.refused:,} requests were refused: 503 with Retry-After")
    if seen.by_rate is not None:
        found += _left_over(seen.by_rate)
    if seen.answered == 0 and (seen.mean_time_s is None or seen.run_s > seen.mean_time_s):
        found.append(f"nobody was answered in {format_seconds(seen.run_s)}")
    return found


def _left_over(by_rate: ByRate) -> list[str]:
    """What was due and was not answered, nor failed."""
    found = []
    if by_rate.unsent:
        found.append(f"{by_rate.unsent:,} requests were due and not sent: no connection was free")
    if by_rate.unfinished:
        found.append(f"{by_rate.unfinished:,} requests were not answered in the grace time")
    return found
