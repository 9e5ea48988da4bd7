"""HF205: a keepalive that nginx is told of is one that it can use. Knows no file."""

from __future__ import annotations

from collections.abc import Iterator

from holdfast.checks.law import Law, Subject, finding
from holdfast.checks.remedy import change_of
from holdfast.checks.upstream_keepalive import keeps
from holdfast.model.finding import Finding, Severity
from holdfast.model.values import derived
from holdfast.programs import nginx_rows

CODE = "HF205"
CONNECTION = "proxy_header_connection"
"""What nginx tells its upstream in the header `Connection`; unset, "close" before 1.29.7."""
CLOSES = "close"


def check(subject: Subject) -> Iterator[Finding]:
    """One for each nginx whose upstream connections end after an answer all the same."""
    for hop in subject.path.hops:
        if hop.program != "nginx" or not hop.links or not keeps(hop):
            continue
        version, header = hop.get(nginx_rows.PROXY_HTTP_VERSION.name), hop.get(CONNECTION)
        keepalive = hop.get(nginx_rows.KEEPALIVE.name)
        if version is not None and str(version.value) == "1.0":
            change = change_of(
                subject.path, hop.name, derived(version.setting, "1.1", "1.0 keeps none")
            )
            yield finding(
                CODE,
                Severity.WARNING,
                "`keepalive` is ignored: `proxy_http_version` is 1.0, which closes after an answer",
                f'set `{change.line}`, and `proxy_set_header Connection "";`',
                keepalive,
                version,
                formula="HTTP/1.1 and no `Connection: close` keep a connection",
                changes=(change,),
            )
        elif header is not None and str(header.value).lower() == CLOSES:
            change = change_of(
                subject.path, hop.name, derived(CONNECTION, '""', "close keeps none")
            )
            yield finding(
                CODE,
                Severity.WARNING,
                "`keepalive` is ignored: the upstream is told `Connection: close`",
                'set `proxy_set_header Connection "";`',
                keepalive,
                header,
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
