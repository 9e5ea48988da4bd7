"""What an edge takes, by the facts: its processes, requests and clients, and TLS of it.

Reads facts and nothing else, so that an audit, which starts nothing, may ask here.
"""

from __future__ import annotations

from typing import Final

from holdfast.facts.profiles import read_profiles
from holdfast.model.front.front import Front
from holdfast.model.values import Source, Value
from holdfast.sizing.layout import Program

COSTS: Final = ("base_bytes", "connection_bytes", "request_bytes", "idle_bytes", "request_cpu_s")
"""What an edge's row of the facts says that a hop carries."""
TLS_COSTS: Final = (
    *("tls_connection_bytes", "h2_request_bytes"),
    *("tls_handshake_cpu_s", "tls_resumed_cpu_s", "tls_load_cpu_s"),
)


def edge_costs(program: Program, front: Front) -> tuple[Value, ...]:
    """What the program takes, as it was measured, and TLS of it where the front has that."""
    row = read_profiles()[program]
    why = f"{program} {row['version']}, {row['date']}, {row['source']}"
    plain = tuple(Value(name, row[name], Source.MEASURED, why) for name in COSTS)
    if front.tls is None:
        return plain
    costs = tls_costs(program)
    return (*plain, *(costs[:-1] if front.tls.self_signed else costs))


def tls_costs(program: str) -> tuple[Value, ...]:
    """What TLS takes: bytes of a connection, and what a request of HTTP/2 takes more; seconds of a
    handshake, of one that resumes, and of reading a certificate that may change."""
    row = read_profiles()[f"{program}-tls"]
    why = f"{program} {row['version']}, {row['date']}, {row['source']}"
    return tuple(Value(name, row[name], Source.MEASURED, why) for name in TLS_COSTS)
