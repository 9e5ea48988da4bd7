"""HF308: no program listens on a port that outgoing connections may take. Knows no file."""

from __future__ import annotations

from collections.abc import Iterator

from holdfast.checks.law import Law, Subject, finding, number_of
from holdfast.checks.remedy import change_of
from holdfast.checks.walls import said
from holdfast.model.finding import Change, Finding, Severity
from holdfast.model.path import Host, Path
from holdfast.model.values import Value, derived
from holdfast.programs.ports import format_ports, reserved_of
from holdfast.programs.tunables import LOWEST_OUTGOING

CODE = "HF308"
PORT = "port"
"""A hop's value for each TCP port that it listens on."""


def check(subject: Subject) -> Iterator[Finding]:
    """One for each host whose outgoing range has a listener's port in it."""
    for host in subject.path.hosts:
        low, high = number_of(host.get("port_low")), number_of(host.get("port_high"))
        if low is None or high is None:
            continue
        kept = reserved_of(host)
        inside = {
            int(value.number): value
            for value in _listening(subject.path, host)
            if low <= value.number <= high and int(value.number) not in kept
        }
        if not inside:
            continue
        ports = format_ports(frozenset(inside))
        changes: tuple[Change, ...] = ()
        hint = f"set `net.ipv4.ip_local_reserved_ports = {ports}`"
        if low < LOWEST_OUTGOING and max(inside) < LOWEST_OUTGOING:
            why = f"above what listens: {ports}"
            changes = (change_of(subject.path, host.name, derived("port_low", 10_240, why)),)
            hint = f"set {said(changes)}; or {hint.removeprefix('set ')} as well"
        yield finding(
            CODE,
            Severity.WARNING,
            f"outgoing connections may take port {ports}, on which a program listens",
            hint,
            host.get("port_low"),
            *inside.values(),
            formula=f"{ports} is in {low:,.0f} to {high:,.0f}, and not reserved",
            changes=changes,
        )


def _listening(path: Path, host: Host) -> list[Value]:
    hops = (hop for hop in path.hops if hop.host == host.name)
    values = (value for hop in hops for value in hop.values if value.setting == PORT)
    return [value for value in values if number_of(value) is not None]


LAW = Law(
    CODE,
    "outgoing connections may take a listener's port",
    Severity.WARNING,
    "A connection that the host dials takes a port of net.ipv4.ip_local_port_range. If that is one "
    "that a server listens on, the server's next start fails (EADDRINUSE) while it lasts.",
    "no listening port is in ip_local_port_range, less ip_local_reserved_ports",
    "ip-sysctl.rst, ip_local_reserved_ports; run: a range of 1024-65535 and a server on 8000",
    "Begin the range at 10240, or reserve the port.",
    check,
)
