"""A service behind the app, known by its addresses: what reaching it costs in ports. No I/O."""

from __future__ import annotations

from holdfast.model.limit import Act, Full, Limit, Scope
from holdfast.model.path import Demand, Hop, Host, Path, Protocol, Spread
from holdfast.model.values import Value
from holdfast.programs.ports import outgoing_ports
from holdfast.programs.rows import counted, number

SLOW_PORTS = 0.5
"""Past half of the port range a connect searches longer and longer for a free port."""


def limits(hop: Hop, path: Path, demand: Demand) -> tuple[Limit, ...]:
    """Ephemeral ports towards each address, and the descriptors of processes of ours."""
    diallers = [
        (dialler, link) for dialler in path.hops for link in dialler.links if link.to == hop.name
    ]
    units = demand.uses(hop.name)[0]
    found = []
    for dialler, link in diallers:
        host = path.host(dialler.host)
        if outgoing_ports(host) is None or link.protocol is Protocol.UNIX:
            continue
        found.append(_ports(hop, units / link.streams, dialler, host))
        nofile = hop.get("nofile")
        if nofile is not None and nofile.value is not None:
            found.append(_descriptors(hop, units / link.streams, dialler, nofile))
    return tuple(found)


def shared(dialler: Hop, addresses: int) -> float:
    """Connections to one address that all of the dialler's requests share."""
    return number(dialler, "shared_descriptors") * dialler.processes / addresses


def _ports(hop: Hop, per_request: float, dialler: Hop, host: Host) -> Limit:
    addresses = int(number(hop, "addresses", 1))
    ports = outgoing_ports(host) or 0
    named = (host.get(name) for name in ("port_low", "port_high", "reserved_ports"))
    return counted(
        hop.name,
        "ports",
        capacity=ports,
        own=shared(dialler, addresses),
        per_request=per_request,
        scope=Scope.FLEET,
        scopes=addresses,
        onset=SLOW_PORTS,
        spread=Spread.HASH if addresses > 1 else Spread.ONLY,
        full=Full(Act.REFUSES, told="EADDRNOTAVAIL in the app"),
        enforcer="kernel (ip_local_port_range)",
        inputs=tuple(v for v in named if v is not None and v.value != ""),
        formula=f"{ports:,.0f} ports to each of {addresses} addresses, slow past half of them",
    )


def _descriptors(hop: Hop, units: float, dialler: Hop, nofile: Value) -> Limit:
    return counted(
        hop.name,
        "descriptors",
        capacity=nofile.number,
        own=number(hop, "own_descriptors") + shared(dialler, hop.processes),
        per_request=units,
        scope=Scope.PROCESS,
        scopes=hop.processes,
        spread=Spread.HASH if hop.processes > 1 else Spread.ONLY,
        full=Full(Act.QUEUES, told="waits in the accept queue"),
        enforcer="kernel (RLIMIT_NOFILE)",
        inputs=(nofile,),
        formula=f"{units:g} a request",
    )
