"""HF202: who waits for an answer waits longer than the one behind it works. Knows no file."""

from __future__ import annotations

from collections.abc import Iterator

from holdfast.checks.law import Law, Subject, finding, number_of
from holdfast.checks.remedy import change_of
from holdfast.checks.walls import said
from holdfast.model.finding import Finding, Severity
from holdfast.model.path import Hop, Path
from holdfast.model.units import format_seconds
from holdfast.model.values import Value, derived
from holdfast.programs import gunicorn, haproxy_rows, nginx_rows
from holdfast.programs.rows import Setting, effective

CODE = "HF202"
WAITS = {"nginx": "proxy_read_timeout_s", "haproxy": "timeout_server_s"}
"""How long an edge waits for an answer, or for its next part."""
ROWS: dict[str, Setting] = {row.name: row for row in (*nginx_rows.ROWS, *haproxy_rows.ROWS)}
WHOLE = frozenset({"sync"})
"""Workers of gunicorn whose `timeout` ends a request; with the others it is their loop's."""
MORE_S = 5


def check(subject: Subject) -> Iterator[Finding]:
    """One for each link whose dialler gives up on a request that is still worked on."""
    for hop in subject.path.hops:
        waits = waiting(hop)
        if waits is None or (patience := number_of(waits)) is None:
            continue
        for link in hop.links:
            behind = longest(subject.path, link.to)
            works = number_of(behind)
            if behind is None or works is None or patience > works:
                continue
            value = derived(waits.setting, works + MORE_S, f"{works:g} s behind it + {MORE_S}")
            changes = (change_of(subject.path, hop.name, value),)
            yield finding(
                CODE,
                Severity.WARNING,
                f"`{hop.name}` gives up after {format_seconds(patience)}, and `{link.to}` may "
                f"work on the request for {format_seconds(works)}",
                f"set {said(changes)}",
                waits,
                behind,
                formula=f"{waits.setting} {patience:g} s > {behind.setting} {works:g} s is not so",
                changes=changes,
            )


def waiting(hop: Hop) -> Value | None:
    """How long the edge waits for an answer; None where it waits for ever, or is no edge."""
    name = WAITS.get(hop.program)
    if name is None:
        return None
    found = effective(hop, ROWS[name])
    return None if found.value is None else found


def longest(path: Path, name: str) -> Value | None:
    """How long the hop may work on a request, where it says so and ends it then."""
    hop = path.hop(name)
    if hop.program != "gunicorn":
        return waiting(hop)
    found = hop.get(gunicorn.TIMEOUT_S.name)
    ends = gunicorn.worker_class(hop) in WHOLE
    return found if found is not None and ends and number_of(found) else None


LAW = Law(
    CODE,
    "who waits for an answer gives up before the one behind it",
    Severity.WARNING,
    "An edge that gives up first answers 504 while the app still works: the work is thrown away, "
    "and a client that tries again doubles it. Each timeout outlasts the one behind it.",
    "nginx proxy_read_timeout, HAProxy timeout server > gunicorn timeout (sync workers), or > "
    "that of the edge behind",
    "nginx.org, proxy_read_timeout; docs.haproxy.org, timeout server; docs.gunicorn.org, timeout",
    "Raise the front's timeout, or end requests earlier behind it.",
    check,
)
