"""Ports for outgoing connections: which numbers the kernel gives out. No I/O."""

from __future__ import annotations

from holdfast.model.path import Host

HIGHEST_PORT = 65_535


def parse_ports(text: str) -> frozenset[int]:
    """The ports of a list as the kernel writes it: "22,8000-8003"; raises ValueError for others."""
    found: set[int] = set()
    for span in filter(None, text.split(",")):
        first, _, last = span.partition("-")
        found.update(range(int(first), int(last or first) + 1))
    return frozenset(found)


def format_ports(ports: frozenset[int]) -> str:
    """The list as the kernel writes it, ascending, neighbours joined."""
    spans: list[list[int]] = []
    for port in sorted(ports):
        if spans and port == spans[-1][1] + 1:
            spans[-1][1] = port
        else:
            spans.append([port, port])
    return ",".join(str(a) if a == b else f"{a}-{b}" for a, b in spans)


def usable(low: int, high: int, reserved: frozenset[int]) -> int:
    """How many ports of a range are given out: all but those that are reserved."""
    return high - low + 1 - sum(low <= port <= high for port in reserved)


def reserved_of(host: Host) -> frozenset[int]:
    """The ports that the host keeps back (ip_local_reserved_ports); none where it was not read."""
    found = host.get("reserved_ports")
    return frozenset() if found is None or found.value is None else parse_ports(str(found.value))


def outgoing_ports(host: Host) -> int | None:
    """How many ports the host gives out towards one address; None where the range is unknown."""
    low, high = (host.get(name) for name in ("port_low", "port_high"))
    if low is None or low.value is None or high is None or high.value is None:
        return None
    return usable(int(low.number), int(high.number), reserved_of(host))
