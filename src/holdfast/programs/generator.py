"""The load generator as a hop: on one machine with the server it has limits too. No I/O."""

from __future__ import annotations

from holdfast.model.limit import Act, Full, Limit, Scope
from holdfast.model.path import Demand, Hop, Path, Spread
from holdfast.programs.rows import counted, number

MOST_CLIENTS = 18_000
"""The most sockets that one generator process is given (design: min(18,000, half the ports))."""


def limits(hop: Hop, _path: Path, demand: Demand) -> tuple[Limit, ...]:
    """The clients that its processes can keep open; they are dealt out evenly."""
    room = number(hop, "clients_per_process", MOST_CLIENTS)
    clients = hop.get("clients_per_process")
    return (
        counted(
            hop.name,
            "client sockets",
            capacity=room * hop.processes + 1,
            per_request=1 / demand.streams,
            per_idle=1.0,
            scope=Scope.FLEET,
            spread=Spread.ONLY,
            full=Full(Act.REFUSES, told="no client left to ask with"),
            enforcer="generator",
            inputs=() if clients is None else (clients,),
            formula=f"{hop.processes} processes x {room:,.0f} sockets",
        ),
    )
