"""A sized path as people and programs read it: table, values, JSON. Decides nothing."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any

import msgspec

from holdfast.cli import say
from holdfast.cli.context import Planned
from holdfast.cli.elsewhere import Elsewhere
from holdfast.model.holding import UNLIMITED
from holdfast.model.limit import Holds, Limit
from holdfast.model.path import Hop
from holdfast.model.units import format_bytes, format_count, format_seconds, plural
from holdfast.model.values import Source, Value, assumed, derived
from holdfast.sizing import operating

BYTES = ("memory_available", "cgroup_memory_max", "cgroup_memory_used")
"""Sizes whose names do not say so."""
SHORT = 40
"""A source longer than this is written once for the values that follow each other with it."""


def plan_json(planned: Planned) -> dict[str, Any]:
    """The plan as data: holds, narrowest, walls, hops with every value and its source, memory."""
    demand, walls = planned.demand, planned.walls
    return {
        "version": 1,
        "asked": planned.options.in_flight,
        "in_flight": demand.in_flight,
        "idle": demand.idle,
        "burst": demand.burst,
        "mean_time_s": planned.mean_time.number,
        "rate": demand.rate,
        "holds": {
            "sure": min(holds.sure for _, holds in walls),
            "onset": min(holds.onset for _, holds in walls),
            "best": min(holds.best for _, holds in walls),
        },
        "narrowest": _wall_json(*walls[0]),
        "walls": [_wall_json(limit, holds) for limit, holds in walls],
        "memory_bytes": planned.memory_bytes,
        "memory": planned.memory_by_hop(),
        "reload": _reload_json(planned),
        "notes": planned.notes,
        "hops": [
            {
                "name": hop.name,
                "program": hop.program,
                "version": hop.version,
                "host": hop.host,
                "processes": hop.processes,
                "values": [_value_json(value) for value in hop.values],
            }
            for hop in planned.path.hops
        ],
        "host": {
            "cores": planned.host.cores,
            "memory_bytes": planned.host.memory_bytes,
            "values": [_value_json(value) for value in planned.host.values],
        },
        "assumed": [_value_json(value) for value in assumptions(planned)],
    }


def _reload_json(planned: Planned) -> dict[str, Any] | None:
    """None where the workers are on other hosts."""
    if planned.project.edge.hosts:
        return None
    drains, more = reload_room(planned)
    return {"drains": drains, "memory_bytes": more}


def assumptions(planned: Planned) -> list[Value]:
    """What nobody stated or measured, of the demand, the hops and the host."""
    of_hops = (value for hop in planned.path.hops for value in hop.values)
    values = (planned.mean_time, *of_hops, *planned.host.values)
    return [value for value in values if value.source is Source.ASSUMED]


def _wall_json(limit: Limit, holds: Holds) -> dict[str, Any]:
    return {
        "hop": limit.hop,
        "resource": limit.resource,
        "scope": limit.scope.value,
        "scopes": limit.scopes,
        "capacity": limit.capacity,
        "own": limit.own,
        "per_request": limit.per_request,
        "per_idle": limit.per_idle,
        **msgspec.structs.asdict(holds),
        "spread": limit.spread.value,
        "full": {"act": limit.full.act.value, "told": limit.full.told},
        "enforcer": limit.enforcer,
        "formula": limit.formula,
        "inputs": [_value_json(value) for value in limit.inputs],
    }


def _value_json(value: Value) -> dict[str, Any]:
    return {
        "setting": value.setting,
        "value": None if value.value == float("inf") else value.value,
        "source": value.source.value,
        "why": value.why,
    }


def show_plan(planned: Planned, *, explain: bool = False) -> None:
    """The plan for people, on one screen of 80 columns: what is asked, each wall, what is started.

    `explain` adds where every number comes from: each wall's formula, each value of hops and host.
    """
    _show_demand(planned)
    _show_walls(planned)
    _show_sizes(planned)
    if not explain:
        say.text()
        say.text("every value and its source: holdfast plan --explain")
        return
    _show_values("demand", _demand_values(planned))
    _explain_walls(planned)
    for hop in planned.path.hops:
        _show_values(_hop_title(hop), hop.values)
    if not planned.project.edge.hosts:
        _show_values("a worker, before it is replaced", [planned.worker_memory()])
    _show_values(f"host {planned.host.name}", planned.host.values)


def _show_demand(planned: Planned) -> None:
    demand, options = planned.demand, planned.options
    more = f" + {options.surplus:,} more clients" if options.surplus else ""
    idle = f", {demand.idle:,} idle clients beside" if demand.idle else ""
    say.text(f"{options.in_flight:,} requests in flight{more}{idle}", style="bold")
    if options.host != Elsewhere():
        host = planned.host
        say.text(f"  on a host of {host.cores:g} cores and {format_bytes(host.memory_bytes)}")
    mean = format_seconds(planned.mean_time.number)
    say.item("  ", f"mean time {mean} ({planned.mean_time.why})")
    burst = f"bursts of {demand.burst:,} within {format_seconds(demand.burst_s)}"
    for note in planned.notes:
        say.item("  note: ", note)
    say.item("  ", f"so {demand.rate:,.0f} answers a second, and {burst}")
    say.text()


COLUMNS = (
    say.Column(""),
    say.Column("what limits it"),
    say.Column("sure", is_number=True),
    say.Column("onset", is_number=True, spare=1),
    say.Column("best", is_number=True),
    say.Column("when full"),
    say.Column("N of sure", spare=2),
)
BAR_COLUMNS = 9


def _show_walls(planned: Planned) -> None:
    asked = planned.demand.in_flight
    rows = [
        (
            ">" if index == 0 else "",
            f"{limit.hop}: {limit.resource}",
            _held(holds.sure),
            _held(holds.onset),
            _held(holds.best),
            limit.full.act.value,
            "" if holds.sure >= UNLIMITED else say.bar(asked / max(holds.sure, 1), BAR_COLUMNS),
        )
        for index, (limit, holds) in enumerate(planned.walls)
    ]
    say.table(COLUMNS, rows)
    limit, holds = planned.walls[0]
    say.text()
    say.item("> narrowest: ", f"{limit.resource} of {limit.hop}, {limit.formula}")
    told = limit.full.told or limit.full.act.value
    say.item("  ", f"past {holds.sure:,} a request may be: {told}")
    say.text()


def _held(count: int) -> str:
    return "unlimited" if count >= UNLIMITED else format_count(count)


def _show_sizes(planned: Planned) -> None:
    """What would be started and what it takes; and which numbers nobody measured."""
    bounds = {(limit.hop, value.setting) for limit, _ in planned.walls for value in limit.inputs}
    for hop in planned.path.hops:
        if hop.program != "kernel":
            sizes = (value for value in hop.values if value.source is Source.DERIVED)
            told = _listed(v for v in sizes if (hop.name, v.setting) in bounds)
            say.item(f"  {_hop_title(hop)}" + (": " if told else ""), told)
    where = "on this host" if planned.options.host == Elsewhere() else "on that host"
    memory = planned.memory_by_hop().items()
    parts = _unbroken(f"{name} {format_bytes(size)}" for name, size in memory)
    say.item("  memory: ", f"{format_bytes(planned.memory_bytes)} {where} ({parts})")
    if not planned.project.edge.hosts:
        _show_reload(planned)
    for why, values in groupby(assumptions(planned), lambda value: value.why.split(": ")[0]):
        say.item("  assumed: ", f"{_listed(values)} ({why})")


def _show_reload(planned: Planned) -> None:
    """What a reload takes beside the plan: the workers that drain while their successors serve."""
    workers = planned.path.hop("workers").processes
    drains, more = reload_room(planned)
    many = f"{drains} of {plural(workers, 'worker')}"
    say.item("  reload: ", f"{format_bytes(more)} more, with {many} draining at a time")


def reload_room(planned: Planned) -> tuple[int, float]:
    """How many workers may drain at a time in a reload, and the bytes that they take meanwhile."""
    drains = int(operating.drains(planned.path, planned.demand).number)
    return drains, drains * operating.second_worker_bytes(planned.path, planned.demand)


def _listed(values: Iterable[Value]) -> str:
    return _unbroken(f"{value.setting} {_shown(value)}" for value in values)


def _unbroken(parts: Iterable[str]) -> str:
    """`nofile 19,209, backlog 316`: no line ends within a part."""
    return ", ".join(part.replace(" ", say.GLUE) for part in parts)


def _hop_title(hop: Hop) -> str:
    program = "" if hop.name == hop.program else f" ({hop.program})"
    version = f" {hop.version}" if hop.version else ""
    return f"{hop.name}{program}{version} x {hop.processes}"


def _demand_values(planned: Planned) -> list[Value]:
    demand, options = planned.demand, planned.options

    def told(setting: str, given: object, value: float, otherwise: str) -> Value:
        if given is None:
            return derived(setting, value, otherwise)
        return Value(setting, value, Source.WRITTEN, f"--{setting.replace('_', '-')}")

    return [
        told("in_flight", options.in_flight, options.in_flight, ""),
        derived("surplus", options.surplus, "clients between an answer and the next request"),
        told("idle", options.idle, demand.idle, "nobody said that there are idle clients"),
        planned.mean_time,
        derived("rate", demand.rate, "requests in flight / mean time"),
        told("burst", options.burst, demand.burst, "what arrives within 1 s at this rate"),
        told("streams", options.streams, demand.streams, ""),
        assumed("miss", demand.miss, "accepted chance that `sure` is exceeded: six sigma"),
    ]


def _explain_walls(planned: Planned) -> None:
    say.text()
    say.text("walls", style="bold")
    for limit, _ in planned.walls:
        many = f" x {limit.scopes}" if limit.scopes > 1 else ""
        size = format_bytes if limit.resource == "memory" else format_count
        room = f"{size(limit.capacity)}{many}"
        say.item(
            f"  {limit.hop}: {limit.resource}: ",
            f"{room}; {limit.formula}; enforced by: {limit.enforcer or 'nobody'}",
        )


def _show_values(title: str, values: Sequence[Value]) -> None:
    say.text()
    say.text(title, style="bold")
    before = None
    for value in values:
        source = f"{value.source.value}: {value.why}"
        body = "the same" if source == before and len(source) > SHORT else source
        say.item(f"  {value.setting:<19} {_shown(value):<10} ", body)
        before = source


def _shown(value: Value) -> str:
    """A value as people read it, by the unit that its name ends in."""
    number = value.value
    if isinstance(number, bool):
        return "yes" if number else "no"
    if not isinstance(number, int | float):
        return "unknown" if number is None else str(number) or "none"
    if math.isinf(number):
        return "no limit"
    if value.setting.endswith("_bytes") or value.setting in BYTES:
        return format_bytes(number)
    if value.setting.endswith("_s"):
        return format_seconds(number)
    return f"{number:,g}" if abs(number) < 1e6 else f"{number:,.0f}"
