"""`--prefer throughput|memory`: the engine and the edge, by figures that were measured, and why.

Decides among pairs that are here and that the plan can hold; must not know how one is run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final, get_args

import click
import msgspec

from holdfast.cli.context import Options, find_project, plan_path
from holdfast.cli.edges import AUTO, NONE
from holdfast.cli.elsewhere import Elsewhere
from holdfast.cli.interfaces import interface_of
from holdfast.cli.options import is_said
from holdfast.cli.usual import usual
from holdfast.facts.rates import Rate, read_rates
from holdfast.model.errors import BadInput, HoldfastError, Impossible
from holdfast.model.front.front import Front
from holdfast.model.units import format_bytes
from holdfast.sizing.layout import Program
from holdfast.stack.edge_process import PROGRAMS, found
from holdfast.wire import ENGINES, Interface

THROUGHPUT: Final = "throughput"
MEMORY: Final = "memory"
ASSUMED: Final[Interface] = "ASGI"


def prefer_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--prefer throughput|memory`, and `--interface` for an app that does not show its own."""
    command = click.option(
        "--interface",
        type=click.Choice(get_args(Interface), case_sensitive=False),
        default=None,
        help="What the app speaks, for --prefer  [default: as the app shows]",
    )(command)
    return click.option(
        "--prefer",
        type=click.Choice([THROUGHPUT, MEMORY]),
        default=None,
        help="Choose engine and edge by measured figures: most answers, or least memory.",
    )(command)


def refuse_prefer(prefer: str | None, beside: str, hint: str) -> None:
    """Raise BadInput where a choice was asked for `beside` what leaves none."""
    if prefer is not None:
        raise BadInput(f"`--prefer {prefer}` contradicts {beside}", place="--prefer", hint=hint)


class Pair(msgspec.Struct, frozen=True):
    """An engine behind an edge, `none` for direct."""

    engine: str
    edge: str

    def __str__(self) -> str:
        before = "without an edge" if self.edge == NONE else f"behind {self.edge}"
        return f"{self.engine} {before}"


def preferred(
    options: Options, prefer: str | None, interface: str | None, *, edge_is_fixed: bool = False
) -> Options:
    """The options with the engine and the edge that are preferred, and why in their notes.

    Where nothing is preferred, with the usual engine of what the app's text shows. Raises BadInput
    where `--engine` was said too, or the app's interface cannot be told, and what the first pair is
    refused for where all are.
    """
    if prefer is None:
        if interface is not None:
            hint = "say `--prefer throughput` or `--prefer memory` too, or leave it out"
            raise BadInput("`--interface` is for `--prefer`", place="--interface", hint=hint)
        return usual(options)
    if is_said("engine"):
        hint = f"leave one out: `--prefer` chooses the engine, `--engine {options.engine}` names it"
        refuse_prefer(prefer, f"`--engine {options.engine}`", hint)
    edges = (options.edge,) if edge_is_fixed else _edges(options)
    spoken, how = _spoken(options, interface)
    engines = [name for name, row in ENGINES.items() if row.interface == spoken]
    missing = [] if options.host != Elsewhere() else [n for n in engines if ENGINES[n].missing()]
    notes = [f"{name} is left out: install `holdfast[{ENGINES[name].extra}]`" for name in missing]
    pairs = [Pair(name, edge) for name in engines if name not in missing for edge in edges]
    choose = _fastest if prefer == THROUGHPUT else _smallest
    pair, why = choose(pairs, options, notes)
    told = (f"--prefer {prefer}: {pair}: {why}", f"the app speaks {spoken}: {how}", *notes)
    return msgspec.structs.replace(options, engine=pair.engine, edge=pair.edge, said=told)


def _edges(options: Options) -> tuple[str, ...]:
    """The edges to choose among: the one that was said; else those that are there, and none.

    `--edge auto` asks for an edge, and so do `[edge]` in the project's file and `--tls`.
    """
    if is_said("edge") and options.edge != AUTO:
        return (options.edge,)
    there = tuple(name for name in get_args(Program) if _is_there(name, options.host))
    asks = is_said("edge") or options.tls or find_project(options).edge != Front()
    if there and asks:
        return there
    return (*there, NONE)


def _is_there(edge: Program, host: Elsewhere) -> bool:
    try:
        return host != Elsewhere() or bool(found(PROGRAMS[edge]))
    except BadInput:
        return False


def _spoken(options: Options, interface: str | None) -> tuple[str, str]:
    """The app's interface, and how it is known."""
    if interface is not None:
        return interface, "--interface says so"
    project = find_project(options)
    app = options.app or project.app
    if not app:
        return ASSUMED, "assumed, since no app was named"
    return interface_of(app, options.app_dir, project.env)


def _fastest(pairs: Iterable[Pair], options: Options, notes: list[str]) -> tuple[Pair, str]:
    """The pair with the most answers a second, of those measured at such a size that can be held.

    A pair that was measured for fewer in flight than are asked, where others were for more, is left
    out: its figure says nothing of so many processes.
    """
    rates, asked = read_rates(), set(pairs)
    size = min(options.in_flight, max(rate.in_flight for rate in rates.rows))
    rows = [rate for rate in rates.rows if Pair(rate.engine, rate.edge) in asked]
    unknown = sorted({pair.engine for pair in asked} - {rate.engine for rate in rows})
    notes += [f"{name} is left out: nobody measured what it answers" for name in unknown]
    small = sorted({rate.engine for rate in rows if rate.in_flight < size})
    notes += [f"{name} is left out: nobody measured it for so many in flight" for name in small]
    order = sorted((r for r in rows if r.in_flight >= size), key=lambda r: -r.requests_s)
    held, _ = _held([Pair(rate.engine, rate.edge) for rate in order], options, notes, most=1)
    at = next(n for n, rate in enumerate(order) if Pair(rate.engine, rate.edge) == held[0])
    why = (
        f"{_answers(order[at])}, of a hello, {rates.connections} connections, {rates.cores:g} "
        f"cores, the load beside ({rates.date}, {rates.source})"
    )
    later = order[at + 1 : at + 2]
    return held[0], why + "".join(f"; next {Pair(r.engine, r.edge)}, {_answers(r)}" for r in later)


def _answers(rate: Rate) -> str:
    return f"{rate.requests_s:,} answers a second ({rate.least:,} to {rate.most:,})"


def _smallest(pairs: Iterable[Pair], options: Options, notes: list[str]) -> tuple[Pair, str]:
    """The pair whose plan takes the least memory, by the measured costs of each."""
    held, sizes = _held(list(pairs), options, notes)
    order = sorted(held, key=lambda pair: sizes[pair])
    why = f"{format_bytes(sizes[order[0]])} planned, from facts/profiles.json"
    later = [f"; next {pair}, {format_bytes(sizes[pair])}" for pair in order[1:2]]
    return order[0], why + "".join(later)


def _held(
    pairs: list[Pair], options: Options, notes: list[str], most: int = 0
) -> tuple[list[Pair], dict[Pair, int]]:
    """Those pairs, `most` of them, whose plan holds the number, and the bytes of each plan.

    A pair is left out too where its edge cannot do what is asked of it. Raises what the first one
    is refused for where none remains.
    """
    found: dict[Pair, int] = {}
    refused: list[HoldfastError] = []
    for pair in pairs:
        tried = msgspec.structs.replace(options, engine=pair.engine, edge=pair.edge)
        try:
            found[pair] = plan_path(tried).memory_bytes
        except Impossible as no:
            refused.append(no)
            notes.append(f"{pair} is left out: here it holds {no.fits:,} in flight")
        except BadInput as bad:
            refused.append(bad)
            notes.append(f"{pair} is left out: {bad.fault}")
        if most and len(found) == most:
            break
    if not found and refused:
        raise refused[0]
    if not found:
        raise BadInput("no engine is here that serves the app", hint="; ".join(notes) or None)
    return list(found), found
