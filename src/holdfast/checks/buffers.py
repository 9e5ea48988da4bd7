"""HF401: request buffers of all that is in flight fit the memory. Knows no file."""

from __future__ import annotations

from collections.abc import Iterator

from holdfast.checks.law import Law, Subject, finding, number_of
from holdfast.checks.remedy import change_of
from holdfast.model.finding import Finding, Severity
from holdfast.model.units import format_bytes, format_count
from holdfast.model.values import derived
from holdfast.programs import haproxy_rows, nginx_rows

CODE = "HF401"
BUFFERS = {"nginx": (nginx_rows.BODY_BUFFER,), "haproxy": (haproxy_rows.BUFSIZE,)}
"""The buffer of one request's body, where somebody may have made it larger."""


def check(subject: Subject) -> Iterator[Finding]:
    """One for each larger buffer that, taken by all requests, is more than the host has."""
    held = subject.target or (subject.walls[0][1].best if subject.walls else 0)
    for hop in subject.path.hops:
        host = subject.path.host(hop.host)
        room = number_of(host.get("memory_available")) or host.memory_bytes
        for row in BUFFERS.get(hop.program, ()):
            value = hop.get(row.name)
            size, usual = number_of(value), row.default_of(hop.version)
            if size is None or not isinstance(usual, int) or size <= usual:
                continue
            if room and size * held > room:
                less = derived(row.name, _fits(room, held), f"a tenth of {format_bytes(room)}")
                change = change_of(subject.path, hop.name, less)
                yield finding(
                    CODE,
                    Severity.WARNING,
                    f"`{row.name}` is {format_bytes(size)}: {format_count(held)} requests with "
                    f"bodies take {format_bytes(size * held)} of {format_bytes(room)}",
                    f"set `{change.line}`: a larger body goes to a file",
                    value,
                    formula=f"{held:,} x {size:,.0f} bytes <= {room:,.0f} bytes is not so",
                    changes=(change,),
                )


def _fits(room: float, held: int) -> int:
    """The largest power of two of KiB that a tenth of the memory holds; 8 to 1024 KiB."""
    each, size = room / 10 / max(held, 1) / 1024, 8
    while size * 2 <= min(each, 1024):
        size *= 2
    return size * 1024


LAW = Law(
    CODE,
    "request buffers of all requests are more than the memory",
    Severity.WARNING,
    "A buffer is per request. nginx takes client_body_buffer_size for each body that is larger "
    "than its head's buffer, HAProxy tune.bufsize each way: 10 MiB and 50,000 requests are 488 "
    "GiB.",
    "in flight x buffer <= memory",
    "nginx.org, client_body_buffer_size; docs.haproxy.org, tune.bufsize",
    "Keep it small: what is larger goes to a file.",
    check,
)
