"""HF303: a directive is one that the version has. Knows no file."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from holdfast.checks.law import Law, Subject, finding
from holdfast.model.finding import Finding, Severity
from holdfast.model.values import Value
from holdfast.programs.rows import parts

CODE = "HF303"
DIRECTIVE = "directive "
"""Before the name of a directive that no reader makes anything of, as a hop's value has it."""


class Gone(msgspec.Struct, frozen=True):
    """A directive that a version no longer has: since when, what to write instead, who says so."""

    program: str
    name: str
    since: str
    instead: str
    source: str


GONE = (
    Gone("nginx", "http2_push", "1.25.1", "remove it", "CHANGES 1.25.1"),
    Gone("nginx", "http2_push_preload", "1.25.1", "remove it", "CHANGES 1.25.1"),
    Gone("nginx", "http2_max_concurrent_pushes", "1.25.1", "remove it", "CHANGES 1.25.1"),
    Gone("nginx", "ssl", "1.25.1", "write `listen 443 ssl;`", "CHANGES 1.25.1"),
    Gone("nginx", "http2_recv_timeout", "1.19.7", "`client_header_timeout`", "CHANGES 1.19.7"),
    Gone("nginx", "http2_idle_timeout", "1.19.7", "`keepalive_timeout`", "CHANGES 1.19.7"),
    Gone("nginx", "http2_max_requests", "1.19.7", "`keepalive_requests`", "CHANGES 1.19.7"),
    Gone(
        "nginx",
        "http2_max_field_size",
        "1.19.7",
        "`large_client_header_buffers`",
        "CHANGES 1.19.7",
    ),
    Gone(
        "nginx",
        "http2_max_header_size",
        "1.19.7",
        "`large_client_header_buffers`",
        "CHANGES 1.19.7",
    ),
    Gone("haproxy", "nbproc", "2.5", "`nbthread`", "doc/configuration.txt 2.5, nbproc"),
)


def check(subject: Subject) -> Iterator[Finding]:
    """One for each such directive: a warning where the version is known, else a note."""
    for hop in subject.path.hops:
        for gone in GONE:
            value = hop.get(DIRECTIVE + gone.name)
            if gone.program != hop.program or value is None or value.place is None:
                continue
            known = bool(parts(hop.version))
            if known and parts(hop.version) < parts(gone.since):
                yield _found(gone, value, f"from {gone.since} on", Severity.NOTE)
            else:
                severity = Severity.WARNING if known else Severity.NOTE
                yield _found(gone, value, f"since {gone.since}", severity)


def _found(gone: Gone, value: Value, when: str, severity: Severity) -> Finding:
    return finding(
        CODE,
        severity,
        f"{gone.program} has no `{gone.name}` {when}",
        gone.instead if gone.instead.startswith(("remove", "write")) else f"use {gone.instead}",
        value,
        formula=f"version < {gone.since} ({gone.source})",
    )


LAW = Law(
    CODE,
    "a directive that the version does not have",
    Severity.WARNING,
    "What a version dropped is an error when it starts, or is left out with a line in a log: "
    "HTTP/2 server push is gone from nginx 1.25.1, the http2_* timeouts from 1.19.7, processes "
    "(nbproc) from HAProxy 2.5.",
    "the program's version is below the one that dropped it",
    "nginx CHANGES; HAProxy doc/configuration.txt",
    "Remove it, or write what took its place.",
    check,
)
