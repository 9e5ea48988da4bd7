"""HF203: a stop waits as long as the longest request may take. Knows no file."""

from __future__ import annotations

from collections.abc import Iterator

from holdfast.checks.law import Law, Subject, finding, number_of
from holdfast.checks.remedy import change_of
from holdfast.checks.request_order import longest
from holdfast.checks.walls import said
from holdfast.model.finding import Finding, Severity
from holdfast.model.path import Hop
from holdfast.model.units import format_seconds
from holdfast.model.values import Value, derived

CODE = "HF203"
GRACES = ("grace_s",)
"""What servers call the time that requests in flight are given once a stop was asked for."""
LATER_S = 5
"""Who kills waits so much longer than who was asked to stop."""
STOPS = ("stop_s",)
"""What those who start them wait before they kill (systemd, Compose)."""


def check(subject: Subject) -> Iterator[Finding]:
    """One where a stop ends a request that may go on, one where who stops does not wait for it."""
    for hop in subject.path.hops:
        grace, works = _first(hop, GRACES), longest(subject.path, hop.name)
        given, needed = number_of(grace), number_of(works)
        if hop.program != "gunicorn":
            needed = None  # an edge's own timeouts say nothing of the app's requests
        if grace is not None and given is not None and needed is not None and given < needed:
            yield _short(subject, hop, grace, works, needed, needed)
            given = needed
        stop = _first(hop, STOPS)
        if stop is not None and given is not None and (number_of(stop) or 0) <= given:
            yield _short(subject, hop, stop, grace, given, given + LATER_S)


def _first(hop: Hop, names: tuple[str, ...]) -> Value | None:
    found = (hop.get(name) for name in names)
    return next((value for value in found if number_of(value) is not None), None)


def _short(
    subject: Subject, hop: Hop, grace: Value, works: Value | None, needed: float, instead: float
) -> Finding:
    why = f"a request may go on for {needed:g} s"
    changes = (change_of(subject.path, hop.name, derived(grace.setting, instead, why)),)
    longer = works.setting if works is not None else "the longest request"
    return finding(
        CODE,
        Severity.WARNING,
        f"`{hop.name}` is stopped after {format_seconds(grace.number)}, and a request may go on "
        f"for {format_seconds(needed)}",
        f"set {said(changes)}",
        grace,
        works,
        formula=f"{grace.setting} {grace.number:g} s >= {longer} {instead:g} s is not so",
        changes=changes,
    )


LAW = Law(
    CODE,
    "a stop ends requests that may still go on",
    Severity.WARNING,
    "At a reload or a stop a server gives requests in flight a while to finish, and ends them "
    "then. A request that may take longer is lost at every release.",
    "graceful stop >= the longest request; systemd TimeoutStopSec, Compose stop_grace_period > "
    "graceful stop",
    "docs.gunicorn.org, graceful_timeout; systemd.service(5), TimeoutStopSec=",
    "Raise the graceful timeout to the request timeout, and the killer's above it.",
    check,
)
