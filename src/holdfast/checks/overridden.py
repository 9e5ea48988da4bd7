"""HF307: a line of sysctl.conf is not undone by a later one. Knows no file."""

from __future__ import annotations

import re
from collections.abc import Iterator

from holdfast.checks import spelling
from holdfast.checks.law import Law, Subject, finding
from holdfast.model.finding import Finding, Severity
from holdfast.model.values import Source, Value

CODE = "HF307"


_VENDOR = re.compile(r"(?:^|/)(?:usr/lib|usr/local/lib|run)/")
"""Where packages keep what they expect to be overridden (sysctl.d(5))."""


def check(subject: Subject) -> Iterator[Finding]:
    """One for each written value of a host that a later line gives another value."""
    for host in subject.path.hosts:
        last: dict[str, Value] = {}
        for value in (v for v in host.values if v.source is Source.WRITTEN and v.place):
            before = last.get(value.setting)
            last[value.setting] = value
            if before is None or before.value == value.value or _is_vendors(before):
                continue
            name = spelling.name("", value.setting)
            yield finding(
                CODE,
                Severity.WARNING,
                f"`{name}` {before.value} is overridden by {value.value} {_where(before, value)}",
                "remove one of the two lines",
                before,
                value,
                formula=f"the last line counts: {value.value}",
            )


def _is_vendors(value: Value) -> bool:
    return value.place is not None and _VENDOR.search(value.place.file) is not None


def _where(before: Value, after: Value) -> str:
    if before.place is None or after.place is None or before.place.file == after.place.file:
        return "below"
    return f"in {after.place.file}"


LAW = Law(
    CODE,
    "a line that a later one overrides",
    Severity.WARNING,
    "Files of sysctl.d are read by name, /etc/sysctl.conf last, and the last line of a setting "
    "counts. An earlier one with another number says what is not so; but for those of /usr/lib and "
    "/run, which are there to be overridden.",
    "one value for each sysctl",
    "sysctl.d(5); sysctl(8)",
    "Remove one of the two.",
    check,
)
