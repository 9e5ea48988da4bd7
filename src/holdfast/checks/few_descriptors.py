"""HF403: descriptors allow the connections that a program is told to take. Knows no file."""

from __future__ import annotations

from collections.abc import Iterator

from holdfast.checks.law import Law, Subject, finding, number_of
from holdfast.checks.remedy import change_of, own_files
from holdfast.model.finding import Finding, Severity
from holdfast.model.path import Hop, Path
from holdfast.model.units import format_count
from holdfast.model.values import Value, derived
from holdfast.programs import haproxy, nginx, nginx_rows
from holdfast.programs.rows import effective

CODE = "HF403"


def check(subject: Subject) -> Iterator[Finding]:
    """One for each edge whose own setting asks for more descriptors than it has."""
    for hop in subject.path.hops:
        found = _asked(hop, subject.path)
        files = hop.get(nginx_rows.WORKER_RLIMIT_NOFILE.name) or hop.get("nofile")
        allowed = number_of(files)
        if found is None or files is None or allowed is None:
            continue
        value, needed, formula = found
        if (value.number if hop.program == "nginx" else needed) <= allowed:
            continue
        raised = own_files(hop, derived(files.setting, int(needed), formula))
        change = change_of(subject.path, hop.name, raised)
        yield finding(
            CODE,
            Severity.WARNING,
            f"`{value.setting}` is {format_count(value.number)}, and `{files.setting}` allows "
            f"{format_count(allowed)} descriptors",
            f"set `{change.line}`",
            value,
            files,
            formula=f"{formula} = {needed:,.0f} <= {allowed:,.0f} is not so",
            changes=(change,),
        )


def _asked(hop: Hop, path: Path) -> tuple[Value, float, str] | None:
    """(the setting, descriptors that it asks for, the sum) of an edge."""
    if hop.program == "nginx":
        most = effective(hop, nginx_rows.WORKER_CONNECTIONS)
        own = nginx.own_descriptors(hop)
        return most, most.number + own, f"{most.number:,.0f} connections + {own:g} of its own"
    if hop.program == "haproxy":
        host = path.host(hop.host)
        told = hop.get("maxconn")
        if told is None or number_of(told) is None:
            return None
        own = haproxy.counted_for_itself(hop, host)
        return told, 2 * told.number + own, f"2 x {told.number:,.0f} + {own:g} of its own"
    return None


LAW = Law(
    CODE,
    "fewer descriptors than the connections that are allowed",
    Severity.WARNING,
    "Every connection is a descriptor. nginx warns of it where nobody looks and pauses accepting; "
    "HAProxy does not start, which `haproxy -c` does not say. The few that nginx needs for itself "
    "beside are no reason to warn, as its packages ask for exactly as many as they have.",
    "nginx: worker_rlimit_nofile >= worker_connections, better with its own; HAProxy: nofile >= 2 "
    "x maxconn + its own",
    "nginx src/event/ngx_event.c; HAProxy src/haproxy.c, compute_ideal_maxsock",
    "Raise the descriptors, or ask for fewer connections.",
    check,
)
