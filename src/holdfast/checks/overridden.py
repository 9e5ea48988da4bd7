"""HF307: a line of sysctl.conf is not undone by a later one. Knows no file."""

from __future__ import annotations

from collections.abc import Iterator

from holdfast.checks.law import Law, Subject, finding
from holdfast.model.finding import Finding, Severity
from holdfast.model.values import Source, Value

CODE = "HF307"


def check(subject: Subject) -> Iterator[Finding]:
    """One for each written value of a host that a later line gives another value."""
    for host in subject.path.hosts:
        last: dict[str, Value] = {}
        for value in (v for v in host.values if v.source is Source.WRITTEN and v.place):
            before = last.get(value.setting)
            last[value.setting] = value
            if before is None or before.value == value.value:
                continue
            yield finding(
                CODE,
                Severity.WARNING,
                f"`{value.setting}` {before.value} is overridden by {value.value} below",
                "remove one of the two lines",
                before,
                value,
                formula=f"the last line counts: {value.value}",
            )


LAW = Law(
    CODE,
    "a line that a later one overrides",
    Severity.WARNING,
    "Files of sysctl.d are read by name, /etc/sysctl.conf last, and the last line of a setting "
    "counts. An earlier one with another number says what is not so.",
    "one value for each sysctl",
    "sysctl.d(5); sysctl(8)",
    "Remove one of the two.",
    check,
)
