"""HF204: nginx keeps connections to what it proxies to. Knows no file."""

from __future__ import annotations

from collections.abc import Iterator

from holdfast.checks.law import Law, Subject, finding, number_of
from holdfast.model.finding import Finding, Severity
from holdfast.model.path import Hop
from holdfast.programs import nginx_rows
from holdfast.programs.rows import effective

CODE = "HF204"


def check(subject: Subject) -> Iterator[Finding]:
    """One for each nginx that dials anew for every request."""
    for hop in subject.path.hops:
        if not proxies(hop) or keeps(hop):
            continue
        to = ", ".join(f"`{link.to}`" for link in hop.links)
        rate = subject.demand.rate
        yield finding(
            CODE,
            Severity.NOTE,
            f"nginx keeps no connection to {to}, so every request dials anew",
            "name the server in an `upstream` block with `keepalive 32;` or more, and set "
            '`proxy_http_version 1.1;` and `proxy_set_header Connection "";`',
            hop.get(nginx_rows.KEEPALIVE.name),
            hop.get("proxy_pass"),
            formula=f"keepalive 0: {rate:,.0f} connections a second for {rate:,.0f} requests"
            if subject.target is not None
            else "keepalive 0: one connection a request",
        )


def keeps(hop: Hop) -> bool:
    """Whether the hop is told to keep idle connections to its upstreams, or does by default."""
    return bool(number_of(effective(hop, nginx_rows.KEEPALIVE)))


def proxies(hop: Hop) -> bool:
    """Whether the hop is an nginx that passes requests on as HTTP."""
    return hop.program == "nginx" and bool(hop.links) and hop.get("proxy_pass") is not None


LAW = Law(
    CODE,
    "nginx dials its upstream anew for every request",
    Severity.NOTE,
    "Without `keepalive` in the upstream nginx closes the connection after each answer. Each "
    "request then costs a connect, a place in the accept queue behind, and over TCP a port that "
    "stays in TIME_WAIT for 60 s. From 1.29.7 on 32 are kept without a word.",
    "keepalive of the upstream > 0",
    "nginx.org, ngx_http_upstream_module, keepalive; CHANGES 1.29.7",
    "Add `keepalive` to the upstream, and before 1.29.7 the two lines that make it work.",
    check,
)
