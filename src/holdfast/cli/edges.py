"""Which edge stands before the workers: as told, or what is installed here. Starts only `-v`."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final, get_args

import click
import msgspec

from holdfast.cli.edge_costs import edge_costs
from holdfast.cli.elsewhere import Elsewhere
from holdfast.facts.profiles import read_profiles
from holdfast.model.errors import BadInput
from holdfast.model.front.body import USUAL_MOST, Body
from holdfast.model.front.front import Front
from holdfast.model.path import Demand, Hop, Host, Path
from holdfast.model.units import format_bytes, format_seconds
from holdfast.programs.fronts import refuse
from holdfast.sizing.layout import EdgeLayout, Program
from holdfast.sizing.upgrades import WEBSOCKET_IDLE
from holdfast.stack.edge_process import PROGRAMS, found, installed_version
from holdfast.writers.haproxy import CHUNKED

AUTO: Final = "auto"
NONE: Final = "none"
LONGEST_S: Final = 60.0
LONGEST_MEANS: Final = 20
"""A request is given up after so many mean times, and never before a minute and a half."""
_ANSWERS: Final = {
    "nginx": (
        "client_max_body_size",
        "proxy_read_timeout_s",
        0,
    ),
    "haproxy": ("max_body", "timeout_server_s", CHUNKED),
}
"""The settings of the largest body and of the longest wait, and the shortest chunked body that is
refused (0: none); see docs/edge-faults.md."""


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


def check_front(chosen: Chosen, front: Front) -> None:
    """Raise BadInput where there is no edge, and `front` asks something of it."""
    if chosen.program is None and front != Front():
        raise BadInput(
            "`[edge]` asks for what only an edge does, and there is none",
            place="--edge",
            hint="; ".join((*chosen.notes, "install one, or leave `[edge]` out")),
        )


def edge_layout(chosen: Chosen, mean_time_s: float, front: Front, **told: Any) -> EdgeLayout | None:
    """What the sizing is told of the edge; `told` as EdgeLayout has it.

    Raises BadInput where there is none, and `front` asks something of it; or what it cannot do.
    """
    check_front(chosen, front)
    if chosen.program is None:
        return None
    refuse(chosen.program, front)
    return EdgeLayout(
        chosen.program,
        chosen.version,
        longest_s=max(LONGEST_S, float(math.ceil(LONGEST_MEANS * mean_time_s))),
        costs=edge_costs(chosen.program, front),
        front=front,
        **told,
    )


def edge_notes(path: Path) -> tuple[str, ...]:
    """What the path's edge answers itself that a worker alone would have been asked; from its
    values, so that nobody meets a limit that was brought unasked and not told."""
    edge = next((hop for hop in path.hops if hop.name == "edge"), None)
    if edge is None:
        return ()
    body, wait, chunked = _ANSWERS[edge.program]
    told = [f"413 to a body over {format_bytes(_number(edge, body))}"]
    if chunked:
        told.append(f"411 to a chunked one from {format_bytes(chunked)} on")
    told.append(f"504 where a worker is silent for {format_seconds(_number(edge, wait))}")
    stays = "header names with `_`"
    if edge.get(WEBSOCKET_IDLE[edge.program]) is None:
        stays = f"websockets and {stays}"
    return (f"{edge.program} answers {', '.join(told)}; {stays} do not pass it",)


def body_notes(program: str | None, body: Body, demand: Demand, host: Host) -> tuple[str, ...]:
    """What N of the largest bodies would take of the disk, where nobody says how large they are
    and so many have no room."""
    free = host.get("disk_available")
    kept = program == "nginx" and body.buffered and body.most != USUAL_MOST
    known = any(kind.body_bytes for kind in demand.kinds)
    if not kept or known or free is None or free.value is None:
        return ()
    at_once = demand.in_flight * body.most
    if at_once <= free.number:
        return ()
    return (
        f"bodies are not counted: {demand.in_flight:,} of {format_bytes(body.most)} at once are "
        f"{format_bytes(at_once)} of files, and {format_bytes(free.number)} are {free.why}; say "
        "how large they are, as `body` of `[[demand.kinds]]`",
    )


def _number(hop: Hop, setting: str) -> float:
    value = hop.get(setting)
    assert value is not None, setting
    return value.number
