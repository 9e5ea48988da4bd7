"""What to change so that a limit is no wall: which values, to what, in which spans. No I/O.

Knows no program: it raises a limit's inputs in the path and looks at what the limit says then.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TypeGuard, TypeVar

import msgspec

from holdfast.checks import spelling
from holdfast.model.finding import Change, Edit
from holdfast.model.holding import holds
from holdfast.model.limit import Limit
from holdfast.model.path import Demand, Hop, Host, Path, Spread
from holdfast.model.values import Place, Source, Value, derived
from holdfast.programs.catalog import path_limits
from holdfast.programs.ports import HIGHEST_PORT
from holdfast.programs.tunables import LOWEST_OUTGOING, PORT_RANGE
from holdfast.sizing.counting import MOST_PROCESSES
from holdfast.sizing.path import needed

Owner = TypeVar("Owner", Hop, Host)
PROCESSES = frozenset({"workers", "worker_processes"})
"""Values that are how many processes a hop has."""
THREADS = frozenset({"threads", "blocking_threads"})
MOST_THREADS = 1_000
"""Threads of one process that are still a hint: past them another kind of worker is."""
PORTS = ("port_low", "port_high")


def wanted_of(limit: Limit, demand: Demand) -> float:
    """The capacity of one scope that makes the demand sure, whatever the spread."""
    if limit.groups > 1:  # at worst one process of an address meets all of that
        alone = limit.spread is Spread.RACE
        scopes = limit.groups if alone else limit.scopes
        limit = msgspec.structs.replace(limit, scopes=scopes, spread=limit.among, groups=1)
    elif limit.spread is Spread.RACE:  # at worst one process meets them all
        limit = msgspec.structs.replace(limit, scopes=1, spread=Spread.ONLY)
    return needed(limit, demand)


def remedy(path: Path, limit: Limit, demand: Demand) -> tuple[Change, ...]:
    """The changes that make `limit` hold the demand; empty where no value of a file does it."""
    if limit.bounds == "rate" or limit.resource == "memory":  # no file gives a machine more
        return ()
    share = wanted_of(limit, demand) / limit.capacity if limit.capacity > 0 else math.inf
    instead = _instead(path, limit, share)
    if instead and _sure(applied(path, instead), limit, demand):
        return instead
    inputs = [v for v in limit.inputs if _is_size(v)]
    if {v.setting for v in inputs} >= set(PORTS):
        return _ports(path, limit, demand, inputs)
    for group in (*((one,) for one in _nearest(limit, inputs)), tuple(inputs)):
        for factor in (share, share * 1.05, share * 2):
            if not group or math.isinf(factor):
                continue
            values = [_raised(value, factor, limit, demand) for value in group]
            if any(v.number > _most(v.setting) for v in values):
                continue
            changes = tuple(_change(path, limit, value) for value in values)
            if _sure(applied(path, changes), limit, demand):
                return changes
    return ()


def _instead(path: Path, limit: Limit, share: float) -> tuple[Change, ...]:
    """The change of another setting that does what more of this one would, and costs less."""
    hop = path.hop(limit.hop)
    value = hop.get(spelling.INSTEAD.get((hop.program, limit.resource), ""))
    if value is None or value.value is None or math.isinf(share):
        return ()
    why = f"{limit.formula}; a thread costs less than a process"
    more = derived(value.setting, math.ceil(value.number * share), why)
    return (change_of(path, hop.name, more),)


def applied(path: Path, changes: Iterable[Change]) -> Path:
    """The path with the changed values in the place of those of the same setting."""
    for change in changes:
        path = msgspec.structs.replace(
            path,
            hosts=tuple(
                _with(host, change.value) if host.name == change.of else host for host in path.hosts
            ),
            hops=tuple(
                _with(hop, change.value) if hop.name == change.of else hop for hop in path.hops
            ),
        )
    return path


def change_of(path: Path, of: str, value: Value) -> Change:
    """The change that gives a hop or host (`of`) this value, with the spans that say it now."""
    hop = next((hop for hop in path.hops if hop.name == of), None)
    program = "" if hop is None else hop.program
    owner = path.host(of) if hop is None else hop
    inside = None if hop is None else hop.get(spelling.CONTAINER)
    line = spelling.line(program, value, "" if inside is None else str(inside.value))
    if value.setting in PORTS:
        ends = [value.value if name == value.setting else _at(owner, name) for name in PORTS]
        line = f"{PORT_RANGE} = {ends[0]} {ends[1]}"
    assert value.value is not None
    text = spelling.amount(program, value.setting, value.value)
    spans = [old.place for old in owner.values if _is_other(old, owner, value)]
    edits = tuple(Edit(place, text) for place in dict.fromkeys(spans) if place is not None)
    if not edits and hop is not None:
        found = spelling.insertion(hop, value.setting, line)
        if found is not None:
            where, text = found
            edits = (Edit(Place(where.file, where.line, where.end, where.end), text),)
    return Change(of, value, line, edits)


def _most(setting: str) -> float:
    """The largest number of a setting that anybody should be told to write."""
    if setting in PROCESSES:
        return MOST_PROCESSES
    return MOST_THREADS if setting in THREADS else math.inf


def _is_size(value: Value) -> bool:
    number = value.value
    return isinstance(number, int | float) and not isinstance(number, bool) and number > 0


def _nearest(limit: Limit, inputs: list[Value]) -> list[Value]:
    """The inputs, first those that are nearest to the capacity: they are what makes it."""
    return sorted(inputs, key=lambda value: abs(value.number - limit.capacity))


def _raised(value: Value, share: float, limit: Limit, demand: Demand) -> Value:
    number = max(value.number, math.ceil(value.number * share))
    if limit.resource == "accept queue":  # two inputs, of which the smaller decides
        number = max(value.number, wanted_of(limit, demand))
    why = f"{demand.in_flight:,} in flight: {limit.formula}"
    return derived(value.setting, int(number), why)


def _change(path: Path, limit: Limit, value: Value) -> Change:
    hop = path.hop(limit.hop)
    host = path.host(hop.host)
    if host.get(value.setting) and not hop.get(value.setting):
        return change_of(path, host.name, value)
    return change_of(path, hop.name, own_files(hop, value))


def _is_other(old: Value, owner: Hop | Host, new: Value) -> bool:
    """Whether a value gives way to a new one: of several servers, who has more keeps it."""
    if old.setting != new.setting:
        return False
    now = owner.get(new.setting)
    if not (_counts(old) and _counts(now) and _counts(new)) or now.number > new.number:
        return True
    return old.number < new.number


def own_files(hop: Hop, value: Value) -> Value:
    """The value by the setting that a program raises its own descriptors with, if it has one.

    Unless who starts it says in a file how many it has.
    """
    told, own = hop.get(value.setting), spelling.RAISES_OWN.get(hop.program)
    if value.setting != "nofile" or own is None or (told is not None and told.place is not None):
        return value
    return msgspec.structs.replace(value, setting=own)


def _at(owner: Hop | Host, setting: str) -> object:
    found = owner.get(setting)
    return None if found is None else found.value


def _ports(path: Path, limit: Limit, demand: Demand, inputs: list[Value]) -> tuple[Change, ...]:
    """The outgoing range as wide as it may be, or only as wide as it must."""
    host = path.host(path.hop(limit.hop).host)
    high = max(HIGHEST_PORT, int(max(v.number for v in inputs)))
    low = max(LOWEST_OUTGOING, high - math.ceil(wanted_of(limit, demand)) + 1)
    why = f"{demand.in_flight:,} in flight: {limit.formula}"
    values = (derived("port_low", low, why), derived("port_high", high, why))
    changes = tuple(change_of(path, host.name, value) for value in values)
    changes = tuple(
        msgspec.structs.replace(c, line=f"{PORT_RANGE} = {low} {high}") for c in changes
    )
    return changes if _sure(applied(path, changes), limit, demand) else ()


def _sure(path: Path, limit: Limit, demand: Demand) -> bool:
    same = [
        other
        for other in path_limits(path, demand)
        if (other.hop, other.resource) == (limit.hop, limit.resource)
    ]
    return all(holds(other, demand).sure >= demand.in_flight for other in same)


def _counts(value: Value | None) -> TypeGuard[Value]:
    return value is not None and _is_size(value)


def _with(owner: Owner, value: Value) -> Owner:
    """The hop or host with every value of that setting as told, each where it stood."""

    def told(place: Place | None) -> Value:
        source = Source.DERIVED if place is None else Source.WRITTEN  # as the file will say it
        return Value(value.setting, value.value, source, value.why, place)

    values = tuple(told(v.place) if v.setting == value.setting else v for v in owner.values)
    if owner.get(value.setting) is None:
        values += (told(None),)
    if isinstance(owner, Hop) and value.setting in PROCESSES:
        before = owner.get(value.setting)
        times = owner.processes // max(1, int(before.number)) if _counts(before) else 1
        return msgspec.structs.replace(owner, values=values, processes=int(value.number) * times)
    return msgspec.structs.replace(owner, values=values)
