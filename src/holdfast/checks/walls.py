"""A wall below the target is one finding: what all laws of capacity share. Knows no resource."""

from __future__ import annotations

from collections.abc import Iterator

from holdfast.checks import spelling
from holdfast.checks.law import Subject, finding
from holdfast.checks.remedy import PORTS, remedy
from holdfast.model.finding import Change, Finding, Severity
from holdfast.model.holding import UNLIMITED
from holdfast.model.limit import Holds, Limit
from holdfast.model.path import Path
from holdfast.model.units import format_bytes, format_count, plural
from holdfast.model.values import Place, Value


def below(subject: Subject, code: str, resources: frozenset[str], otherwise: str) -> list[Finding]:
    """A finding for each wall of these resources that does not surely hold the target.

    A resource is named by the words before " to ", so that "ports to app" is "ports".
    `otherwise` is the hint where no value that could be raised does it.
    """
    return [
        wall_finding(subject, code, limit, held, otherwise)
        for limit, held in narrow(subject)
        if resource_of(limit) in resources
    ]


def narrow(subject: Subject) -> Iterator[tuple[Limit, Holds]]:
    """The walls that do not surely hold the target; none where there is no target.

    Of several that one line of a file makes, the narrowest: what is wrong is that line.
    """
    seen: set[Place] = set()
    for limit, held in subject.walls:
        if subject.target is None or held.sure >= subject.target:
            continue
        value = binding(limit)
        place = None if value is None else value.place
        if place not in seen:
            yield limit, held
        if place is not None:
            seen.add(place)


def resource_of(limit: Limit) -> str:
    """What the limit is of, whoever it leads to."""
    return limit.resource.partition(" to ")[0]


def binding(limit: Limit) -> Value | None:
    """The input that makes the limit what it is: the one nearest to its capacity.

    Of a range of ports, whose ends say nothing by themselves, the first.
    """
    if {value.setting for value in limit.inputs} >= set(PORTS):
        return limit.inputs[0]
    sized = [v for v in limit.inputs if not isinstance(v.value, str | bool | None)]
    if not sized:
        return limit.inputs[0] if limit.inputs else None
    return min(sized, key=lambda value: abs(value.number - limit.capacity))


def wall_finding(subject: Subject, code: str, limit: Limit, held: Holds, otherwise: str) -> Finding:
    """What the limit is, what it holds, what was wanted, and the change that makes it hold it."""
    changes = remedy(subject.path, limit, subject.demand)
    severity = Severity.WARNING if held.best >= subject.demand.in_flight else Severity.ERROR
    hold = _hold(held, many=_many(subject, limit))
    hint = f"set {said(changes)}" if changes else otherwise
    return finding(
        code,
        severity,
        f"{_is(subject, limit)}, so {_by(subject, limit)} {hold}; "
        f"{format_count(subject.demand.in_flight)} are wanted",
        hint,
        *limit.inputs,
        formula=f"{limit.resource} of {limit.hop}: {limit.formula}",
        changes=changes,
    )


def called(path: Path, of: str, setting: str) -> str:
    """What the program of a hop, or the kernel of its host, calls a setting."""
    hop = path.hop(of)
    kernels = path.host(hop.host).get(setting) is not None
    return spelling.name("" if kernels else hop.program, setting)


def _is(subject: Subject, limit: Limit) -> str:
    value = binding(limit)
    size = format_bytes if limit.resource == "memory" else format_count
    if value is None or value.value is None:
        return f"{limit.resource} of {limit.hop} is {size(limit.capacity)}"
    name = called(subject.path, limit.hop, value.setting)
    if isinstance(value.value, str):
        return f"`{name}` is {value.value}"
    if value.setting in PORTS:
        return f"`{name}` has {format_count(limit.capacity)} ports"
    return f"`{name}` is {size(value.number)}"


def _by(subject: Subject, limit: Limit) -> str:
    hop = subject.path.hop(limit.hop)
    if hop.program in {"kernel", "service"}:
        return f"`{hop.name}`"
    return plural(hop.processes, f"{hop.program} process")


def _many(subject: Subject, limit: Limit) -> bool:
    hop = subject.path.hop(limit.hop)
    return hop.processes > 1 and hop.program not in {"kernel", "service"}


def _hold(held: Holds, *, many: bool) -> str:
    hold = "hold" if many else "holds"
    if held.sure == held.best:
        return f"{hold} {format_count(held.sure)}"
    best = "any number" if held.best >= UNLIMITED else format_count(held.best)
    return f"surely {hold} {format_count(held.sure)} and at best {best}"


def said(changes: tuple[Change, ...]) -> str:
    """The lines of some changes, as a hint says them."""
    return " and ".join(dict.fromkeys(f"`{change.line}`" for change in changes))
