"""HF602: who says whose a request is, is known. Knows no file."""

from __future__ import annotations

from collections.abc import Iterator

from holdfast.checks.law import Law, Subject, finding
from holdfast.checks.port_clash import PORT
from holdfast.model.finding import Finding, Severity
from holdfast.model.path import Hop, Path
from holdfast.model.values import Value
from holdfast.programs import nginx_rows as rows
from holdfast.programs.rows import effective
from holdfast.programs.sockets import dialler

CODE = "HF602"
LOCAL = ("127.", "localhost", "[::1]", "::1")
"""How the addresses begin that only the host itself reaches."""
LISTS = "x-forwarded-for"
"""The header to which everybody on the way adds an address behind those that were said."""


def check(subject: Subject) -> Iterator[Finding]:
    """One for each nginx that believes everybody: a warning where that can be used in any case."""
    for hop in subject.path.hops:
        everybody = [value for value in hop.values if _is_everybody(value)]
        if not everybody:
            continue
        header = effective(hop, rows.REAL_IP_HEADER)
        recursive = effective(hop, rows.REAL_IP_RECURSIVE)
        first = bool(recursive.value) and str(header.value).lower() == LISTS
        if not first and not _is_open(hop, subject.path):
            continue
        whose = (
            f"the first address of `{header.value}`, which clients write"
            if first
            else f"what `{header.value}` says, whoever says it"
        )
        yield finding(
            CODE,
            Severity.WARNING if first else Severity.NOTE,
            f"a request is taken to be from {whose}: limits, rules and logs by address go by it",
            "name the addresses of the balancers before it in `set_real_ip_from`",
            everybody[0],
            *([header, recursive] if first else []),
            formula="set_real_ip_from: those who set the header, and nobody else",
        )


def _is_everybody(value: Value) -> bool:
    return value.setting == rows.REAL_IP_FROM.name and str(value.value).endswith("/0")


def _is_open(hop: Hop, path: Path) -> bool:
    """Whether others than an edge on its own host may dial it, as far as the files say."""
    port = hop.get(PORT)
    return dialler(hop, path) is None and port is not None and not port.why.startswith(LOCAL)


LAW = Law(
    CODE,
    "anybody may say whose a request is",
    Severity.WARNING,
    "`set_real_ip_from` names those who are believed when they say, in a header or by the PROXY "
    "protocol, whose a request is. With 0.0.0.0/0 everybody is, so a client gets by `limit_conn`, "
    "`limit_req`, `allow` and `deny` with another address each time. With `real_ip_recursive` and "
    "X-Forwarded-For that is so behind balancers, too: all addresses that they add are believed, "
    "and the first one, which the client wrote, is left.",
    "no set_real_ip_from of all addresses",
    "nginx.org, ngx_http_realip_module; run with 1.22.1 (tests/checks/test_clients_for_real.py)",
    "Write the networks of your balancers or of the CDN, each in a line.",
    check,
)
