"""A stack that `plan` sized for many requests, and what is done to it while it holds them.

`reloaded`, `scaled` and `killed` each return a row of figures; whoever asks judges it. Used by
`scripts/test full reload`, `reload_gevent` and `operate`, and by `scripts/bench operate`.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec
import pytest
from bench.profile_predicts import used_bytes

from holdfast.cli.context import Options, Planned
from holdfast.cli.show import reload_room
from holdfast.cli.up import stack_config
from holdfast.cli.verdict import plan_with_surplus
from holdfast.load.counts import FleetSample, FleetTotals
from holdfast.load.fleet import Fleet
from holdfast.load.ramp import Ramp
from holdfast.observe.process import read_memory
from holdfast.sizing.edge import HEAD_S
from holdfast.stack.config import StackConfig
from holdfast.stack.limits import raise_nofile
from holdfast.stack.process import StackProcess
from tests.helpers import wait_until
from tests.stack.driving import Log
from tests.stack.operating import Site, asking, ends, told

SHARE: Final = float(os.environ.get("HOLDFAST_SHARE", "1"))
"""Of the stated numbers and times, at the same rate: 0.04 of 50,000 and 20 s is 2,000 and 0.8 s."""


class Load(NamedTuple):
    """So many in flight, whose times have this mean."""

    in_flight: int
    mean_s: float

    def part(self, share: float) -> Load:
        """A part of it at the same rate, of which as much of the processor is taken."""
        return Load(round(self.in_flight * share), self.mean_s * share)


RELOAD: Final = {"uvicorn": Load(50_000, 20.0), "gevent": Load(50_000, 30.0)}
"""By engine. 2,500 answers a second of gevent's, 628 us each with clients and edge, are more than
the 70 % of two cores that sizing grants: it calls them impossible."""
OTHERS: Final = Load(20_000, 10.0)
"""Where the stack is scaled, or a worker killed."""
LATE: Final = 0.25
"""Of the clients, who come once there are more workers: without an edge only those are spread."""
GRACE_S: Final = 150.0
"""Longer than the longest of a million lognormal times."""
LOOK_S, MEMORY_S = 0.25, 5.0
"""How often clients are counted, and memory: for that the kernel lets go what nobody holds."""
MOST_OF_PLAN: Final = 1.15
"""What a machine may grow by, of its plan: as exact as law 3 says that a plan's memory is."""
WINDOW_S: Final = 0.1
CEILING_S: Final = 300.0
PROFILE = Path(__file__).parents[2] / "examples" / "wait" / "holdfast.toml"


class Operated:
    """A stack under load: its plan, the clients, and what was seen of them."""

    def __init__(
        self, site: Site, planned: Planned, config: StackConfig, stack: StackProcess, fleet: Fleet
    ) -> None:
        self.site, self.planned, self.config = site, planned, config
        self.stack, self.fleet, self.log = stack, fleet, Log(stack)
        self.clients = fleet.plan.clients
        late = planned.demand.in_flight - self.clients
        self.asked_for = planned.options.in_flight - late
        """In flight without those that come late."""
        self.least_in_flight = self.clients
        self.failed_before = 0
        """Before anything was done to the stack."""
        self.grown_bytes = 0
        """The most that the whole machine had grown by, since before there was a stack."""
        self._looked_s = self._measured_s = 0.0

    def until(self, condition: Callable[[], object], what: str) -> None:
        """Look now and then at clients and memory, until it is so."""
        wait_until(lambda: self._look() or condition(), CEILING_S, what)

    def _look(self) -> None:
        now_s = time.monotonic()
        if now_s - self._looked_s >= LOOK_S:
            self._looked_s = now_s
            self.least_in_flight = min(self.least_in_flight, self.fleet.read().in_flight)
        if now_s - self._measured_s >= MEMORY_S:
            self._measured_s = now_s
            self.grown_bytes = max(self.grown_bytes, taken() - self._started)

    def opened(self, started: int) -> None:
        """Let all clients in, as fast as the workers take them, and wait until those that shall be
        there are in flight and as many were answered."""
        self._started = started
        rate, room = self.planned.open_rate, self.config.slots * self.stack.serving.backlog
        ramp = Ramp(self.clients, rate, round(rate * WINDOW_S))

        def are_there() -> bool:
            sample = self.fleet.read()
            now_s, counts = time.monotonic(), (sample.connected, sample.opening)
            behind = max(0, sample.in_flight - self.stack.gauge.in_flight())
            self.fleet.allow(ramp.step(now_s, *counts, behind, room), 0)
            return min(sample.answered, sample.in_flight) >= self.asked_for

        wait_until(are_there, CEILING_S, "all clients are there")
        self.failed_before = self.fleet.read().failed

    def more(self, count: int) -> FleetSample:
        """So many more answers."""
        goal = self.fleet.read().answered + count
        self.until(lambda: self.fleet.read().answered >= goal, f"{count:,} more answers")
        return self.fleet.read()

    def asked(self, what: str, count: int = 1) -> dict[str, Any]:
        """What a reload or a scaling that has been asked has come to."""
        self.until(lambda: len(ends(self.stack, what)) >= count, f"the {what} is over")
        event = ends(self.stack, what)[count - 1]
        return {"end": event.kind, "took_s": round(event.took_s, 2), "cut": event.cut}

    @contextlib.contextmanager
    def newcomers(self) -> Iterator[Fleet]:
        """The rest of the clients, who come only now."""
        rest = self.planned.demand.in_flight - self.clients
        with Fleet(asking(self.stack.port, rest, seed=1)) as later:
            later.start()
            later.allow(rest, 0)
            self.until(lambda: later.read().answered >= rest, "the newcomers are there")
            yield later

    def row(self, *later: Fleet) -> dict[str, Any]:
        """Let all go, and say what has become of each request."""
        totals = [fleet.let_go(GRACE_S) for fleet in (self.fleet, *later)]
        return {
            "workers": self.config.slots,
            "clients": self.clients,
            "least_in_flight": self.least_in_flight,
            "failed_before": self.failed_before,
            "still_s": max((e.took_s for e in told(self.stack, "stood_still")), default=0.0),
            "grown_bytes": self.grown_bytes,
            "planned_bytes": self.planned_bytes(),
            **counted(self.site, *totals),
        }

    def planned_bytes(self) -> int:
        """What the plan says of the whole path, and of the workers that drain beside new ones."""
        return self.planned.memory_bytes + round(reload_room(self.planned)[1])


def taken() -> int:
    """Bytes that are in use and cannot be had back, this process's own apart (0006)."""
    return used_bytes() - read_memory(os.getpid())


def counted(site: Site, *flows: FleetTotals) -> dict[str, Any]:
    """What has become of each request, by the clients' count and by the app's.

    `lag_s` is how late a generator's tick was at most. An edge cuts a client whose first request
    does not come within HEAD_S, be it only that the machine stood still.
    """
    begun, versions, errors = site.begun(), Counter[str](), Counter[str]()
    for totals in flows:
        versions.update(totals.tally)
        errors.update(totals.errors)
    counts = ("sent", "answered", "failed", "unfinished")
    return {
        **{name: sum(getattr(totals, name) for totals in flows) for name in counts},
        "errors": dict(errors),
        "first_error": flows[0].first_error,
        "by_version": dict(versions),
        "begun": len(begun),
        "twice": sum(count > 1 for count in begun.values()),
        "p50_s": round(flows[0].service.percentile_s(50), 2),
        "p99_s": round(flows[0].service.percentile_s(99), 2),
        "lag_s": round(max(totals.lag.max_s for totals in flows), 2),
    }


@contextlib.contextmanager
def operated(
    folder: Path,
    engine: str,
    edge: str,
    load: Load,
    late: float = 0.0,
    **changes: Any,
) -> Iterator[Operated]:
    """A stack of the versioned app under its load, but for the part of it that comes `late`.

    `changes` are of its config.
    """
    site = Site(folder, engine, load.mean_s)
    shutil.copy(PROFILE, site.folder)
    told = {"mean_time_s": load.mean_s, "here": True, "edge": edge, "engine": engine}
    planned = plan_with_surplus(Options(site.app, site.folder, None, load.in_flight, **told))
    config = stack_config(planned, address="127.0.0.1", port=0, grace_s=GRACE_S, env=site.env)
    config = msgspec.structs.replace(config, **changes)
    raise_nofile(config.nofile)
    started = taken()
    with StackProcess(config) as stack:
        stack.start()
        stack.wait_until_ready(120)
        processes = planned.path.hop("clients").processes
        clients = round(planned.demand.in_flight * (1 - late))
        plan = asking(stack.port, clients, processes=processes)
        with Fleet(plan) as fleet:
            fleet.start()
            one = Operated(site, planned, config, stack, fleet)
            one.opened(started)
            yield one


def reloaded(folder: Path, engine: str, edge: str, load: Load) -> dict[str, Any]:
    """Every worker is replaced by new code."""
    with operated(folder, engine, edge, load) as one:
        one.site.publish("2")
        one.stack.reload()
        end = one.asked("reload")
        old = one.more(one.clients).tally.get("1", 0)
        row = one.row()
    return {**end, **row, "old_afterwards": row["by_version"].get("1", 0) - old}


def scaled(folder: Path, engine: str, edge: str, load: Load, few: int, many: int) -> Any:
    """From few workers to many, and back."""
    told = {"slots": few, "most": many, "late": LATE}
    with operated(folder, engine, edge, load, **told) as one:
        one.stack.scale(many)
        up = one.asked("scale")
        with one.newcomers() as later:
            one.until(lambda: asked_slots(one.stack) >= set(range(many)), "all slots are asked")
            one.stack.scale(few)
            down = one.asked("scale", 2)
            one.more(one.clients // 2)
            row = one.row(later)
    return {"up": up, "down": down, **row}


def asked_slots(stack: StackProcess) -> set[int]:
    """The slots whose workers have begun a request; nginx finds a new one within 5 s."""
    return {row.slot for row in stack.gauge.read() if row.started}


def killed(folder: Path, engine: str, edge: str, load: Load) -> dict[str, Any]:
    """One worker is killed: `replaced_s` until another answers, `serving_s` until it is asked."""
    with operated(folder, engine, edge, load) as one:
        victim = one.stack.workers()[0]
        os.kill(victim.pid, signal.SIGKILL)
        (died,) = one.log.wait_for("died")
        one.until(lambda: one.log.of("ready")[-1].at_s > died.at_s, "a new worker is ready")
        ready = one.log.of("ready")[-1]
        one.until(lambda: began(one.stack, victim.slot), "the new worker is asked")
        serving_s = time.monotonic() - died.at_s
        one.more(one.clients // 2)
        row = one.row()
    times = {"replaced_s": round(ready.at_s - died.at_s, 2), "serving_s": round(serving_s, 2)}
    return {**times, "inside": died.in_flight, **row}


def began(stack: StackProcess, slot: int) -> bool:
    """Whether the slot's second worker has begun a request."""
    rows = stack.gauge.read()
    return any(row.slot == slot and row.generation == 2 and row.started for row in rows)


def check_reload(folder: Path, engine: str, edge: str) -> None:
    """At its stated size, or the share of it that is asked for, a reload is what it has to be."""
    load = RELOAD[engine].part(SHARE)
    row = reloaded(folder, engine, edge, load)
    check_lossless(row)
    assert (row["end"], row["cut"], row["old_afterwards"]) == ("reloaded", 0, 0)
    assert set(row["by_version"]) == {"1", "2"}
    assert row["least_in_flight"] >= load.in_flight
    assert row["grown_bytes"] <= MOST_OF_PLAN * row["planned_bytes"]
    assert row["took_s"] <= 2 * row["p99_s"] + 30


def check_lossless(row: dict[str, Any]) -> None:
    """None failed or is missing, and each came to the app once."""
    show(row)
    assert (row["failed"], row["unfinished"], row["errors"], row["twice"]) == (0, 0, {}, 0)
    assert row["answered"] == row["sent"] == row["begun"] == sum(row["by_version"].values())


def show(row: dict[str, Any]) -> None:
    """Print it; the tests end as void, which may be tried again, where the machine stood still."""
    print(row)
    still_s = max(row["lag_s"], row["still_s"])
    if still_s >= HEAD_S:
        pytest.exit(f"void: generator or supervisor stood still for {still_s} s", returncode=3)
