"""What a trial's clients take, and how fast they come in: as connects let them, or handshakes.

Arithmetic on facts; must not know how load is made.
"""

from __future__ import annotations

from typing import Final

import msgspec

from holdfast.facts.profiles import read_profiles
from holdfast.model.profile import Profile
from holdfast.model.values import Source, Value
from holdfast.programs.kernel import PROCESSOR_SHARE

OPEN_RATE: Final = 10_000.0
"""Clients that a trial opens a second at most; fewer where the server accepts fewer."""
GENERATOR: Final = "holdfast-load"
OVER_TLS: Final = "holdfast-load-tls"
BY_STREAMS: Final = "holdfast-load-h2"
"""Rows of the facts: of clients over HTTP/1.1, the same over TLS, and streams of HTTP/2 over it."""


def generator_row(*, tls: bool, streams: int) -> str:
    """The row of what such clients take."""
    if streams > 1:
        return BY_STREAMS
    return OVER_TLS if tls else GENERATOR


def shared(profile: Profile, streams: int) -> Profile:
    """The profile of clients that share connections: each takes its part of one besides its own."""
    if streams == 1:
        return profile
    own, connection = profile.request_bytes, profile.idle_bytes
    why = f"{own.number:,.0f} a stream + {connection.number:,.0f} a connection / {streams}"
    each = Value(own.setting, own.number + connection.number / streams, Source.DERIVED, why)
    return msgspec.structs.replace(profile, request_bytes=each)


def open_rate(*, tls: bool, streams: int, cores: float, server: str | None) -> float:
    """Clients that come in a second, on so many cores for both ends of their handshakes.

    `server` is the facts' row of who shakes hands with them; where it was not measured it is
    taken to need what a client does.
    """
    if not tls:
        return OPEN_RATE
    facts = read_profiles()
    client_s = float(facts[OVER_TLS]["handshake_cpu_s"])
    row = facts[server] if server is not None else {}
    both_s = client_s + float(row.get("tls_handshake_cpu_s", client_s))
    return min(OPEN_RATE, cores * PROCESSOR_SHARE / both_s * streams)
