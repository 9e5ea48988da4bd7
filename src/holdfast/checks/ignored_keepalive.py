"""HF205: a keepalive that nginx is told of is one that it can use. Knows no file."""

from __future__ import annotations

from collections.abc import Iterator

from holdfast.checks.law import Law, Subject, finding
from holdfast.checks.remedy import change_of
from holdfast.checks.upstream_keepalive import keeps, proxies
from holdfast.model.finding import Finding, Severity
from holdfast.model.path import Hop
from holdfast.model.values import Value, derived
from holdfast.programs import nginx_rows
from holdfast.programs.rows import effective, parts

CODE = "HF205"
CONNECTION = "proxy_header_connection"
"""What nginx tells its upstream in the header `Connection`; unset, "close" before 1.29.7."""
CLOSES = "close"
KEPT_SINCE = "1.29.7"
"""nginx before it says `Connection: close` where no proxy_set_header says anything else."""


def check(subject: Subject) -> Iterator[Finding]:
    """One for each nginx whose upstream connections end after an answer all the same."""
    for hop in subject.path.hops:
        if not proxies(hop) or not keeps(hop):
            continue
        for why, made, value in closing(hop):
            yield _ignored(subject, hop, why, made, value)


def closing(hop: Hop) -> Iterator[tuple[str, Value, Value | None]]:
    """Why an nginx's upstream connections end after each answer, what mends it, what says so."""
    version, header = effective(hop, nginx_rows.PROXY_HTTP_VERSION), hop.get(CONNECTION)
    told = "close" if header is None and not _is_kept(hop) else header and header.value
    if str(version.value) == "1.0":
        made = derived(version.setting, "1.1", "1.0 keeps none")
        yield "`proxy_http_version` is 1.0, which closes after an answer", made, version
    if str(told).lower() == CLOSES:
        made = derived(CONNECTION, '""', "close keeps none")
        yield "the upstream is told `Connection: close`", made, header


def _is_kept(hop: Hop) -> bool:
    """Whether the version leaves the header out where nobody asked for it."""
    return bool(hop.version) and parts(hop.version) >= parts(KEPT_SINCE)


def _ignored(subject: Subject, hop: Hop, why: str, made: Value, value: Value | None) -> Finding:
    change = change_of(subject.path, hop.name, made)
    return finding(
        CODE,
        Severity.WARNING,
        f"`keepalive` is ignored: {why}",
        f"set `{change.line}` where proxy_pass stands",
        hop.get(nginx_rows.KEEPALIVE.name),
        value,
        hop.get("proxy_pass"),
        formula="HTTP/1.1 and no `Connection: close` keep a connection",
        changes=(change,),
    )


LAW = Law(
    CODE,
    "keepalive to the upstream is ignored",
    Severity.WARNING,
    "`keepalive` keeps only what may be kept: before 1.29.7 nginx speaks HTTP/1.0 to its upstream "
    "and sends `Connection: close`, either of which ends the connection after its answer.",
    'proxy_http_version 1.1 and proxy_set_header Connection ""',
    "nginx.org, ngx_http_upstream_module, keepalive; CHANGES 1.29.7",
    "Write both lines where proxy_pass stands: proxy_set_header is not inherited once one is set.",
    check,
)
