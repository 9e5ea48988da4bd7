"""A sized path as people and programs read it: table, values, JSON. Decides nothing."""

from __future__ import annotations

from typing import Any

import msgspec

from holdfast.cli import say
from holdfast.cli.context import Planned
from holdfast.model.holding import UNLIMITED
from holdfast.model.limit import Holds, Limit
from holdfast.model.units import format_bytes, format_count, format_seconds
from holdfast.model.values import Value


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
        "assumed": [
            _value_json(value)
            for value in (planned.mean_time, *(v for hop in planned.path.hops for v in hop.values))
            if value.source.value == "assumed"
        ],
    }


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


def show_plan(planned: Planned, *, with_host: bool = False) -> None:
    """The plan for people, at 80 columns: what is asked, each wall, each value with its formula."""
    _show_demand(planned)
    _show_walls(planned)
    _show_memory(planned)
    say.text()
    for hop in planned.path.hops:
        name = hop.program if hop.name == hop.program else f"{hop.name} ({hop.program})"
        many = f" x {hop.processes}" if hop.processes > 1 else ""
        say.text(f"{name} {hop.version}{many}", style="bold")
        for value in hop.values:
            _show_value(value)
    if with_host:
        say.text(f"host {planned.host.name}", style="bold")
        for value in planned.host.values:
            _show_value(value)


def _show_demand(planned: Planned) -> None:
    demand, options = planned.demand, planned.options
    more = f" + {options.surplus:,} more clients" if options.surplus else ""
    idle = f", {demand.idle:,} idle clients beside" if demand.idle else ""
    say.text(f"{options.in_flight:,} requests in flight{more}{idle}", style="bold")
    mean = format_seconds(planned.mean_time.number)
    say.item("  ", f"mean time {mean} ({planned.mean_time.why})")
    burst = f"bursts of {demand.burst:,} within {format_seconds(demand.burst_s)}"
    say.item("  ", f"so {demand.rate:,.0f} answers a second, and {burst}")
    say.text()


def _show_walls(planned: Planned) -> None:
    rows = []
    for index, (limit, holds) in enumerate(planned.walls):
        rows.append(
            (
                ">" if index == 0 else "",
                f"{limit.hop}: {limit.resource}",
                _held(holds.sure),
                _held(holds.onset),
                _held(holds.best),
                limit.full.act.value,
            )
        )
    columns = (
        ("", False),
        ("what limits it", False),
        ("sure", True),
        ("onset", True),
        ("best", True),
        ("when full", False),
    )
    say.table(columns, rows)
    limit, holds = planned.walls[0]
    say.text()
    say.item("> narrowest: ", f"{limit.resource} of {limit.hop}, {limit.formula}")
    told = limit.full.told or limit.full.act.value
    say.item("  ", f"past {holds.sure:,} a request may be: {told}")


def _held(count: int) -> str:
    return "unlimited" if count >= UNLIMITED else format_count(count)


def _show_memory(planned: Planned) -> None:
    parts = ", ".join(
        f"{name} {format_bytes(size)}" for name, size in planned.memory_by_hop().items()
    )
    say.item("  memory: ", f"{format_bytes(planned.memory_bytes)} on this host ({parts})")


def _show_value(value: Value) -> None:
    number = value.value
    if value.setting.endswith("_bytes") and isinstance(number, int | float):
        shown = format_bytes(number)
    elif value.setting.endswith("_s") and isinstance(number, int | float):
        shown = format_seconds(number)
    elif isinstance(number, int | float) and not isinstance(number, bool):
        shown = f"{number:,g}" if abs(number) < 1e6 else f"{number:,.0f}"
    else:
        shown = "unset" if number is None else str(number)
    say.item(f"  {value.setting:<18} {shown:<10} ", f"{value.source.value}: {value.why}")
