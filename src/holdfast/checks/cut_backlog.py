"""HF304: a backlog is no more than the host allows. Knows no file."""

from __future__ import annotations

from collections.abc import Iterator

from holdfast.checks.law import Law, Subject, finding, number_of
from holdfast.checks.remedy import change_of
from holdfast.model.finding import Finding, Severity
from holdfast.model.units import format_count
from holdfast.model.values import Source, derived

CODE = "HF304"
ASKED = frozenset({Source.WRITTEN, Source.DERIVED})


def check(subject: Subject) -> Iterator[Finding]:
    """One for each hop that asks for more than `somaxconn`."""
    for hop in subject.path.hops:
        backlog, most = hop.get("backlog"), subject.path.host(hop.host).get("somaxconn")
        asked, room = number_of(backlog), number_of(most)
        if backlog is None or backlog.source not in ASKED or asked is None or room is None:
            continue
        if asked > room:
            value = derived("somaxconn", int(asked), f"the backlog of `{hop.name}`")
            change = change_of(subject.path, hop.host, value)
            yield finding(
                CODE,
                Severity.WARNING,
                f"`backlog` of `{hop.name}` is {format_count(asked)}, and the kernel cuts it to "
                f"{format_count(room)}",
                f"set `{change.line}`",
                backlog,
                most,
                formula=f"min({asked:,.0f}, {room:,.0f}) = {room:,.0f}",
                changes=(change,),
            )


LAW = Law(
    CODE,
    "a backlog is cut to somaxconn",
    Severity.WARNING,
    "listen(2) takes any number and says nothing; the kernel keeps the smaller of it and "
    "net.core.somaxconn.",
    "the accept queue is min(backlog, net.core.somaxconn)",
    "listen(2); net/socket.c, __sys_listen",
    "Raise net.core.somaxconn, and restart what listens: the queue is made when it begins to.",
    check,
)
