"""HF603: a limit for each client is no limit for all of them together. Knows no file."""

from __future__ import annotations

from collections.abc import Iterator

from holdfast.checks.law import Law, Subject, finding, number_of
from holdfast.model.finding import Finding, Severity
from holdfast.model.path import Hop, Path, Protocol
from holdfast.programs import nginx_rows as rows
from holdfast.programs.nginx import seems_one
from holdfast.programs.rows import Setting, effective
from holdfast.programs.sockets import dialler

CODE = "HF603"
LIMITS: tuple[tuple[Setting, str], ...] = (
    (rows.LIMIT_CONN_PER_ADDRESS, "at once"),
    (rows.LIMIT_REQ_PER_ADDRESS, "a second"),
)


def check(subject: Subject) -> Iterator[Finding]:
    """One for each limit by address of an nginx whose clients all seem to be who passes them on."""
    for hop in subject.path.hops:
        met = _met(hop, subject.path)
        if met is None:
            continue
        who, hint = met
        for row, when in LIMITS:
            value = hop.get(row.name)
            most = number_of(value)
            if value is None or most is None:
                continue
            yield finding(
                CODE,
                Severity.WARNING,
                f"{most:g} requests {when} are allowed to an address, and all clients have that of "
                f"{who}: so many are allowed to all of them together",
                hint,
                value,
                formula=f"{value.why}: {most:g} {when} x 1 address",
            )


def _met(hop: Hop, path: Path) -> tuple[str, str] | None:
    """Who all clients seem to be, and how to hear who they are; None where that is heard."""
    front, one = dialler(hop, path), seems_one(hop, path)
    expects = bool(effective(hop, rows.PROXY_PROTOCOL).value)
    header = "proxy_protocol" if expects else "X-Forwarded-For"
    unix = front is not None and front[1].protocol is Protocol.UNIX
    told = "unix:" if unix else "ADDRESS"
    hint = f"set `set_real_ip_from {told};` and `real_ip_header {header};`"
    if one is not None:
        return f"`{one.name}`", hint
    if expects and front is None and hop.get(rows.REAL_IP_FROM.name) is None:
        return "the balancer, which says whose they are by the PROXY protocol", hint
    return None


LAW = Law(
    CODE,
    "a limit for each client that all share",
    Severity.WARNING,
    "`limit_conn` and `limit_req` by $binary_remote_addr count for each address that connects. "
    "Behind a balancer or another proxy that is one address for everybody, unless nginx is told "
    "whom to believe: what was meant for one client is then the most for all.",
    "clients come by themselves, or set_real_ip_from names who passes them on",
    "nginx.org, ngx_http_limit_conn_module, ngx_http_realip_module; run with 1.22.1 "
    "(tests/checks/test_clients_for_real.py)",
    "Set `set_real_ip_from` to the balancer's addresses and `real_ip_header` to what it sends.",
    check,
)
