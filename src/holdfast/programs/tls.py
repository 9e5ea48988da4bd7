"""What TLS takes of an edge: memory of a connection, processor time of a handshake. No I/O."""

from __future__ import annotations

from typing import Final

import msgspec

from holdfast.model.path import Demand, Hop, Path
from holdfast.programs.rows import number
from holdfast.programs.sockets import arriving

A_BLOCK: Final = 200
"""Bytes of a block of HAProxy's session cache (its manual, `tune.ssl.cachesize`)."""


def memory(hop: Hop, path: Path, demand: Demand) -> tuple[float, float, float]:
    """Bytes of TLS in a hop: what it remembers of sessions, of a request's share of its client's
    connection, of an idle client. All zero where `tls_connection_bytes` is not said of it.
    Clients with several requests at once speak HTTP/2, of which a request takes more.

    nginx's workers share what they remember; each process of HAProxy has its own.
    """
    each = number(hop, "tls_connection_bytes")
    if not each:
        return 0.0, 0.0, 0.0
    clients, idle, _ = arriving(hop, path, demand)
    stream = number(hop, "h2_request_bytes") if demand.streams > 1 else 0.0
    cache = number(hop, "ssl_session_cache")
    cache += number(hop, "tune_ssl_cachesize") * A_BLOCK * hop.processes
    return cache, each * clients + stream, each * idle


class Storm(msgspec.Struct, frozen=True):
    """All `clients` of an edge that come again at once: seconds that its host's cores shake hands,
    with sessions that nobody remembers, and with ones that resume."""

    clients: int
    full_s: float
    resumed_s: float


def storm(hop: Hop, demand: Demand, cores: float) -> Storm | None:
    """What it takes to let everybody in again; None for a hop that speaks no TLS.

    Processor seconds of a handshake x clients / cores; nginx reads the certificate for each new
    session where it may change (`tls_load_cpu_s`).
    """
    full_s, resumed_s = (number(hop, f"tls_{kind}_cpu_s") for kind in ("handshake", "resumed"))
    if not full_s:
        return None
    clients = connections(demand)
    new_s = full_s + number(hop, "tls_load_cpu_s")
    return Storm(clients, clients * new_s / cores, clients * resumed_s / cores)


def connections(demand: Demand) -> int:
    """Connections of clients: those with requests, and idle ones."""
    return -int(-demand.in_flight // demand.streams) + demand.idle
