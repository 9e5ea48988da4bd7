"""An audit as people and programs read it: the path as a table, findings, JSON. Decides nothing."""

from __future__ import annotations

import math
from typing import Any

import msgspec
from rich.text import Text

from holdfast.checks.audit import Audit
from holdfast.checks.mend import Mended
from holdfast.cli import say
from holdfast.model.finding import Change, Finding, Severity
from holdfast.model.holding import UNLIMITED
from holdfast.model.limit import Holds, Limit
from holdfast.model.units import format_count, plural
from holdfast.model.values import Place, Source, Value

VERSION = 1
"""Of the JSON; fields are added, never renamed, within one version."""
COLUMNS = (
    say.Column(""),
    say.Column("what limits it"),
    say.Column("sure", is_number=True),
    say.Column("onset", is_number=True, spare=3),
    say.Column("best", is_number=True),
    say.Column("when full", spare=2),
    say.Column("where", spare=4),
    say.Column("", spare=1),
)
BAR_COLUMNS = 9
REQUESTS = " requests in flight"
STYLES = {Severity.ERROR: "bold red", Severity.WARNING: "bold yellow", Severity.NOTE: "bold"}


def show_audit(audited: Audit, files: int) -> None:
    """The answer for people: what holds, each wall, what was assumed, then every finding."""
    _show_answer(audited, files)
    _show_walls(audited)
    _show_assumed(audited)
    for finding in audited.findings:
        show_finding(finding)
    _show_end(audited)


def show_finding(finding: Finding) -> None:
    """One finding: code and message, its places, the formula with its numbers, the hint."""
    say.text()
    head = f"{finding.severity.value}[{finding.code}]: "
    say.item(head, finding.message, style=STYLES[finding.severity])
    for place in finding.places:
        say.text(f"  at {place.file}:{place.line}")
    if finding.formula:
        say.item("  formula: ", finding.formula)
    if finding.hint:
        say.item("hint: ", finding.hint)


def _show_answer(audited: Audit, files: int) -> None:
    holds = audited.holds
    read = plural(files, "file")
    if audited.narrowest is None:
        say.text(f"{read} read, and nothing in them limits what is in flight", style="bold")
        return
    way = f", {audited.demand.streams:g} a connection" if audited.demand.streams > 1 else ""
    say.text(f"holds {_span(holds, REQUESTS)}{way} ({read} read)", style="bold")
    for streams, other in audited.other_ways:
        by = "over HTTP/1.1" if streams <= 1 else f"over HTTP/2 with {streams:g} streams"
        say.text(f"  {by}: {_span(other)}")
    limit, value = audited.narrowest
    what = limit.resource if value is None else f"{value.setting} {_said(value)}"
    where = "" if value is None else _from(value)
    say.item("  because of ", f"{what} of {_called(audited, limit.hop)}{where}: {limit.formula}")
    say.item("  past it: ", limit.full.told or limit.full.act.value)


def _called(audited: Audit, hop: str) -> str:
    """The hop's name without the unit or container that it is in, where that names it as well."""
    short = hop.rpartition(": ")[2]
    alike = [each for each in audited.path.hops if each.name.rpartition(": ")[2] == short]
    return short if len(alike) == 1 else hop


def _from(value: Value) -> str:
    """Where a value is written, or was seen."""
    if value.place is not None:
        return f" at {_at(value.place)}"
    return f" ({value.why})" if value.source is Source.OBSERVED else ""


def _span(holds: Holds, what: str = "") -> str:
    if holds.sure == holds.best:
        return f"{format_count(holds.sure)}{what}"
    return f"{format_count(holds.sure)}{what} for sure, {format_count(holds.best)} at best"


def _show_walls(audited: Audit) -> None:
    known = [wall for wall in audited.walls if wall[1].best < UNLIMITED]
    if not known:
        return
    widest = max(holds.best for _, holds in known)
    rows = [
        (
            ">" if index == 0 else "",
            f"{_called(audited, limit.hop)}: {limit.resource}",
            format_count(holds.sure),
            format_count(holds.onset),
            format_count(holds.best),
            limit.full.act.value,
            _where(limit),
            say.bar(_share(holds.best, widest), BAR_COLUMNS),
        )
        for index, (limit, holds) in enumerate(known)
    ]
    say.text()
    say.table(COLUMNS, rows)


def _share(count: int, widest: int) -> float:
    """By powers of ten: walls are often hundreds of times apart."""
    return math.log1p(count) / math.log1p(max(widest, 1))


def _where(limit: Limit) -> str:
    places = [value.place for value in limit.inputs if value.place is not None]
    seen = [value.why for value in limit.inputs if value.source is Source.OBSERVED]
    return _at(places[0]) if places else seen[0] if seen else "assumed"


def _show_assumed(audited: Audit) -> None:
    if not audited.assumed:
        return
    say.text()
    by_why: dict[str, list[str]] = {}
    for value in audited.assumed:
        by_why.setdefault(value.why.split(": ")[0], []).append(f"{value.setting} {_said(value)}")
    for why, told in by_why.items():
        parts = ", ".join(part.replace(" ", say.GLUE) for part in told)
        say.item("assumed: ", f"{parts} ({why})")


def _show_end(audited: Audit) -> None:
    count = dict.fromkeys(Severity, 0)
    for finding in audited.findings:
        count[finding.severity] += 1
    told = ", ".join(plural(number, kind.value) for kind, number in count.items() if number)
    say.text()
    say.text(told or "no findings")
    if audited.findings:
        say.text(f"what a code means: holdfast explain {audited.findings[0].code}")
    if audited.target is not None:
        word = "holds" if audited.is_enough else "does not hold"
        say.text(f"{word} {audited.target:,}", style="bold")


def show_mended(mended: Mended, diff: str) -> None:
    """The changes as a diff, what has no place in these files, and what the path holds then."""
    if diff:
        say.out.print(Text(diff), end="")
    for change in mended.by_hand:
        say.item("also: ", f"{change.line} ({change.of}; in none of these files)")
    say.text()
    holds = mended.after.holds
    say.text(f"then it holds {_span(holds, REQUESTS)}", style="bold")
    for finding in mended.left:
        show_finding(finding)


def audit_json(audited: Audit, mended: Mended | None = None) -> dict[str, Any]:
    """The audit as data; the top level is issue 5's: holds, narrowest, walls, findings, assumed."""
    answer: dict[str, Any] = {
        "version": VERSION,
        "target": audited.target,
        "holds": msgspec.structs.asdict(audited.holds),
        "narrowest": _narrowest_json(audited),
        "walls": [_wall_json(audited, limit, holds) for limit, holds in audited.walls],
        "findings": [_finding_json(finding) for finding in audited.findings],
        "assumed": [_value_json(value) for value in audited.assumed],
        "streams": audited.demand.streams,
        "idle": audited.demand.idle,
        "other_ways": [
            {"streams": streams, "holds": msgspec.structs.asdict(holds)}
            for streams, holds in audited.other_ways
        ],
    }
    if mended is not None:
        answer["changes"] = [_change_json(change) for change in mended.changes]
        answer["after"] = {
            "holds": msgspec.structs.asdict(mended.after.holds),
            "findings": [_finding_json(finding) for finding in mended.left],
        }
    return answer


def _narrowest_json(audited: Audit) -> dict[str, Any] | None:
    if audited.narrowest is None:
        return None
    limit, value = audited.narrowest
    return _named(audited, limit, value)


def _named(audited: Audit, limit: Limit, value: Value | None) -> dict[str, Any]:
    place = None if value is None else value.place
    return {
        "hop": limit.hop,
        "program": audited.path.hop(limit.hop).program,
        "resource": limit.resource,
        "setting": None if value is None else value.setting,
        "value": None if value is None else _plain(value.value),
        "file": None if place is None else place.file,
        "line": None if place is None else place.line,
        "source": None if value is None else value.source.value,
        "why": None if value is None else value.why,
    }


def _wall_json(audited: Audit, limit: Limit, holds: Holds) -> dict[str, Any]:
    first = next((v for v in limit.inputs if v.place is not None), None)
    return {
        **_named(audited, limit, first or next(iter(limit.inputs), None)),
        **msgspec.structs.asdict(holds),
        "scopes": limit.scopes,
        "full": {"act": limit.full.act.value, "told": limit.full.told},
        "enforcer": limit.enforcer,
        "formula": limit.formula,
    }


def _finding_json(finding: Finding) -> dict[str, Any]:
    return {
        "code": finding.code,
        "severity": finding.severity.value,
        "message": finding.message,
        "formula": finding.formula,
        "hint": finding.hint,
        "places": [msgspec.structs.asdict(place) for place in finding.places],
        "changes": [_change_json(change) for change in finding.changes],
    }


def _change_json(change: Change) -> dict[str, Any]:
    return {
        "of": change.of,
        "setting": change.value.setting,
        "value": _plain(change.value.value),
        "line": change.line,
        "why": change.value.why,
        "edits": [
            {**msgspec.structs.asdict(edit.place), "text": edit.text} for edit in change.edits
        ],
    }


def _value_json(value: Value) -> dict[str, Any]:
    return {
        "setting": value.setting,
        "value": _plain(value.value),
        "source": value.source.value,
        "why": value.why,
    }


def _plain(value: object) -> object:
    """What JSON can say: no limit is null."""
    return None if value == math.inf else value


def _said(value: Value) -> str:
    if value.value is None:
        return "unset"
    if isinstance(value.value, str | bool):
        return str(value.value)
    default = " (default)" if value.source is Source.DEFAULT else ""
    return f"{format_count(value.value)}{default}"


def _at(place: Place) -> str:
    return f"{place.file}:{place.line}"
