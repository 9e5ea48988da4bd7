"""Which edge stands before the workers: as told, or what is installed here. Starts only `-v`."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final, get_args

import click
import msgspec

from holdfast.cli.elsewhere import Elsewhere
from holdfast.facts.profiles import read_profiles
from holdfast.model.errors import BadInput
from holdfast.model.values import Source, Value
from holdfast.sizing.layout import EdgeLayout, Program
from holdfast.stack.edge_process import PROGRAMS, found, installed_version

AUTO: Final = "auto"
NONE: Final = "none"
COSTS: Final = ("base_bytes", "connection_bytes", "request_bytes", "idle_bytes", "request_cpu_s")
"""What an edge's row of the facts says that a hop carries."""
LONGEST_S: Final = 60.0
LONGEST_MEANS: Final = 20
"""A request is given up after so many mean times, and never before a minute and a half."""


class Chosen(msgspec.Struct, frozen=True):
    """The edge to plan with, None for none; and what to say of how it was chosen."""

    program: Program | None
    version: str = ""
    notes: tuple[str, ...] = ()


def edge_option(default: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """`--edge auto|nginx|haproxy|none`."""
    return click.option(
        "--edge",
        type=click.Choice([AUTO, *get_args(Program), NONE]),
        default=default,
        show_default=True,
        help="The proxy before the workers; auto: nginx or HAProxy, whichever is installed.",
    )


def choose_edge(told: str, host: Elsewhere) -> Chosen:
    """The edge that is meant on the host: this one has what is installed, another one Debian's.

    `auto` without either is none, and says so.
    """
    if told == NONE:
        return Chosen(None)
    names: tuple[Program, ...] = get_args(Program)
    wanted = names if told == AUTO else tuple(name for name in names if name == told)
    missing = []
    for name in wanted if host == Elsewhere() else ():
        try:
            found(PROGRAMS[name])
        except BadInput as bad:
            missing.append(bad.fault)
        else:
            return Chosen(name, installed_version(PROGRAMS[name]))
    if missing and told == AUTO:
        packages = " or ".join(PROGRAMS[name].package for name in names)
        return Chosen(None, notes=(f"no edge: {', '.join(missing)} (Debian: {packages})",))
    name, version = wanted[0], str(read_profiles()[wanted[0]]["version"])
    why = ", ".join(missing) or "nobody said which is there"
    return Chosen(name, version, (f"{name} {version} is assumed as the edge: {why}",))


def check_installed(told: str) -> None:
    """Raise BadInput where an edge was asked for by name and is not installed."""
    if _is_named(told):
        found(PROGRAMS[told])


def refuse_named(told: str, beside: str, hint: str) -> None:
    """Raise BadInput where an edge was asked for by name `beside` what starts none."""
    if _is_named(told):
        raise BadInput(f"`--edge {told}` contradicts {beside}", place="--edge", hint=hint)


def _is_named(told: str) -> bool:
    return told not in {AUTO, NONE}


def edge_layout(chosen: Chosen, mean_time_s: float, **told: Any) -> EdgeLayout | None:
    """What the sizing is told of the edge; `told` as EdgeLayout has it."""
    if chosen.program is None:
        return None
    return EdgeLayout(
        chosen.program,
        chosen.version,
        longest_s=max(LONGEST_S, float(math.ceil(LONGEST_MEANS * mean_time_s))),
        costs=edge_costs(chosen.program),
        **told,
    )


def edge_costs(program: Program) -> tuple[Value, ...]:
    """What the program takes, as it was measured."""
    row = read_profiles()[program]
    why = f"{program} {row['version']}, {row['date']}, {row['source']}"
    return tuple(Value(name, row[name], Source.MEASURED, why) for name in COSTS)
