"""HF103: one address gives out as many ports as requests to it take. Knows no file."""

from __future__ import annotations

from holdfast.checks.law import Law, Subject
from holdfast.checks.walls import below
from holdfast.model.finding import Finding, Severity

CODE = "HF103"
RESOURCES = frozenset({"ports"})
OTHERWISE = "use a unix socket, which takes no port, or let the server listen on more addresses"


def check(subject: Subject) -> list[Finding]:
    """Each such wall below the target."""
    return below(subject, CODE, RESOURCES, OTHERWISE)


LAW = Law(
    CODE,
    "outgoing ports run out below the target",
    Severity.ERROR,
    "A connection over TCP to one address and port takes a port of its own on the "
    "dialling host. Past the range nginx answers 502 and HAProxy 503; and past half of it "
    "connecting grows slow.",
    "ports of ip_local_port_range, less reserved ones, x addresses dialled >= requests in "
    "flight x connections a request",
    "ip-sysctl.rst, ip_local_port_range; net/ipv4/inet_hashtables.c, __inet_hash_connect",
    "Dial a unix socket, dial more addresses, or widen net.ipv4.ip_local_port_range from 10240 up.",
    check,
)
