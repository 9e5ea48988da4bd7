"""What a law is, and what it looks at. Frozen records; no law is written here."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec

from holdfast.model.finding import Change, Finding, Severity
from holdfast.model.limit import Holds, Limit
from holdfast.model.path import Demand, Hop, Path
from holdfast.model.values import Source, Value

MANUAL = "docs/checks"
"""Where each law has its page, by its code."""


class Subject(msgspec.Struct, frozen=True):
    """What laws look at: a path, how requests arrive, and its walls, narrowest first.

    `target` is the number that is wanted, which is then the demand's; None where nobody said one.
    """

    path: Path
    demand: Demand
    target: int | None
    walls: tuple[tuple[Limit, Holds], ...]


class Law(msgspec.Struct, frozen=True):
    """One law: a stable `code`, what it means, by which formula, on whose word, and how to mend it.

    `check` yields its findings on a subject; `severity` is the worst that it gives.
    """

    code: str
    title: str
    severity: Severity
    meaning: str
    formula: str
    source: str
    mend: str
    check: Callable[[Subject], Iterable[Finding]]

    @property
    def page(self) -> str:
        """Its page of the documentation."""
        return f"{MANUAL}/{self.code}.md"


def finding(
    code: str,
    severity: Severity,
    message: str,
    hint: str,
    *values: Value | None,
    formula: str = "",
    changes: tuple[Change, ...] = (),
) -> Finding:
    """A finding at the places of those values that have one."""
    places = tuple(value.place for value in values if value is not None and value.place is not None)
    return Finding(code, severity, tuple(dict.fromkeys(places)), message, hint, formula, changes)


def stated(hop: Hop, setting: str) -> Value | None:
    """The hop's value of a setting if somebody wrote one; None for what is assumed or unset."""
    found = hop.get(setting)
    told = found is not None and found.value is not None
    return found if told and found is not None and found.source is Source.WRITTEN else None


def number_of(value: Value | None) -> float | None:
    """The value's number; None where it is unset, text, or not there at all."""
    if value is None or value.value is None or isinstance(value.value, str):
        return None
    return value.number
