"""HF202: who waits for an answer waits longer than the one behind it works. Knows no file."""

from __future__ import annotations

from collections.abc import Iterator

from holdfast.checks.law import Law, Subject, finding, number_of
from holdfast.checks.remedy import change_of
from holdfast.checks.walls import said
from holdfast.model.finding import Finding, Severity
from holdfast.model.path import Hop, Path
from holdfast.model.units import format_seconds
from holdfast.model.values import SOMETIMES, Value, derived
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
    """One for each link whose dialler gives up on a request that is still worked on.

    Where that is so only for requests that a rule picks, it is a note: they may be short ones.
    """
    for hop in subject.path.hops:
        usual = waiting(hop)
        for waits in (*((usual,) if usual is not None else ()), *_sometimes(hop)):
            for link in hop.links:
                behind = longest(subject.path, link.to)
                patience, works = number_of(waits), number_of(behind)
                if behind is None or works is None or patience is None or patience > works:
                    continue
                yield _gives_up(subject.path, hop, link.to, waits, behind)


def _gives_up(path: Path, hop: Hop, to: str, waits: Value, behind: Value) -> Finding:
    patience, works, some = waits.number, behind.number, waits.setting not in WAITS.values()
    value = derived(waits.setting, works + MORE_S, f"{works:g} s behind it + {MORE_S}")
    changes = () if some else (change_of(path, hop.name, value),)
    which = f" on some requests (`{waits.why}`)" if some else ""
    longer = f"write {works + MORE_S:g}s, if they may take so long"
    return finding(
        CODE,
        Severity.NOTE if some else Severity.WARNING,
        f"`{hop.name}` gives up{which} after {format_seconds(patience)}, and `{to}` may "
        f"work on the request for {format_seconds(works)}",
        f"set {said(changes)}" if changes else longer,
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


def _sometimes(hop: Hop) -> list[Value]:
    """How long the edge waits for an answer to the requests that its rules pick."""
    setting = f"{SOMETIMES}{WAITS.get(hop.program, '')}"
    return [value for value in hop.values if value.setting == setting and value.value is not None]


def longest(path: Path, name: str) -> Value | None:
    """How long the hop may work on a request, where it says so and ends it then.

    Of an edge with rules the longest that any request is given.
    """
    hop = path.hop(name)
    if hop.program != "gunicorn":
        usual = waiting(hop)
        each = [] if usual is None else [usual, *_sometimes(hop)]
        return max(each, key=lambda value: value.number, default=None)
    found = hop.get(gunicorn.TIMEOUT_S.name)
    ends = gunicorn.worker_class(hop) in WHOLE
    return found if found is not None and ends and number_of(found) else None


LAW = Law(
    CODE,
    "who waits for an answer gives up before the one behind it",
    Severity.WARNING,
    "An edge that gives up first answers 504 while the app still works: the work is thrown away, "
    "and a client that tries again doubles it. Each timeout outlasts the one behind it.",
    "nginx proxy_read_timeout, HAProxy timeout server (and each that a rule sets) > gunicorn "
    "timeout (sync workers), or > the longest of the edge behind",
    "nginx.org, proxy_read_timeout; docs.haproxy.org, timeout server, http-request "
    "set-timeout; docs.gunicorn.org, timeout",
    "Raise the front's timeout, or end requests earlier behind it.",
    check,
)
