"""HF301: what somebody wrote is enforced by somebody. Knows no file."""

from __future__ import annotations

from collections.abc import Iterator

from holdfast.checks.law import Law, Subject, finding
from holdfast.checks.walls import binding
from holdfast.model.finding import Change, Edit, Finding, Severity
from holdfast.model.values import Source, Value

CODE = "HF301"


def check(subject: Subject) -> Iterator[Finding]:
    """One for each limit that has no enforcer."""
    for limit, _ in subject.walls:
        value = binding(limit)
        if limit.enforcer or value is None:
            continue
        gone = Value(value.setting, None, Source.DERIVED, "nothing enforces it")
        edits = () if value.place is None else (Edit(value.place, "", is_removal=True),)
        yield finding(
            CODE,
            Severity.WARNING,
            f"nothing enforces `{value.setting}` of `{limit.hop}`: it bounds nothing",
            f"remove `{value.setting}`, or choose what enforces it",
            value,
            formula=limit.formula,
            changes=(Change(limit.hop, gone, f"no `{value.setting}`", edits),),
        )


LAW = Law(
    CODE,
    "nothing enforces a setting",
    Severity.WARNING,
    "A program reads a number, keeps it, and never looks at it: gunicorn's `worker_connections` "
    "with sync, asgi or uvicorn workers, its `threads` with all but gthread. Who wrote it believes "
    "in a limit that is not there.",
    "every written limit has an enforcer",
    "gunicorn/workers/*.py; holdfast's rows (`enforced by`)",
    "Remove the setting, or choose the worker class that looks at it.",
    check,
)
