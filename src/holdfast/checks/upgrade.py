"""HF206: only a request that asks for an upgrade is told to upgrade. Knows no file."""

from __future__ import annotations

from collections.abc import Iterator

from holdfast.checks.ignored_keepalive import CONNECTION
from holdfast.checks.law import Law, Subject, finding
from holdfast.checks.upstream_keepalive import proxies
from holdfast.model.finding import Finding, Severity

CODE = "HF206"


def check(subject: Subject) -> Iterator[Finding]:
    """One for each nginx that sends the word upgrade whatever the client asked for."""
    for hop in subject.path.hops:
        header = hop.get(CONNECTION)
        if not proxies(hop) or header is None or str(header.value).lower() != "upgrade":
            continue
        yield finding(
            CODE,
            Severity.NOTE,
            "every request is sent with `Connection: upgrade`, also those that ask for none",
            "set `proxy_set_header Connection $connection_upgrade;` and in http "
            "`map $http_upgrade $connection_upgrade { default upgrade; '' ''; }`",
            header,
            formula="upgrade only where $http_upgrade is not empty",
        )


LAW = Law(
    CODE,
    'Connection "upgrade" on every request',
    Severity.NOTE,
    '`proxy_set_header Connection "upgrade"` tells the upstream of every request that it may '
    "become a WebSocket, whatever the client asked for. nginx keeps the connection all the same "
    "where the upstream does (run with 1.22.1); but what is behind may take the request for "
    "something that it is not.",
    'Connection is "upgrade" only for a request with the header Upgrade, by a map',
    "nginx.org, WebSocket proxying; RFC 9110, 7.8",
    "Give the header a variable that a `map` of $http_upgrade makes.",
    check,
)
