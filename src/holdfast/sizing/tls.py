"""Sizes TLS at an edge: what it remembers of sessions, its records, its streams. No I/O."""

from __future__ import annotations

import math

from holdfast.model.front.front import Front
from holdfast.model.path import Demand
from holdfast.model.values import Value, derived
from holdfast.programs.tls import A_BLOCK, connections
from holdfast.sizing.layout import EdgeLayout

LIFE_S = 86_400
"""A day: RFC 8446 lets a ticket live for seven."""
A_SESSION = 256
"""Bytes of one session in nginx's shared memory: a megabyte holds about 4,000 (its manual)."""
LEAST_CACHE = 2**20
RECORD = 4_096
NGINX_STREAMS, HAPROXY_STREAMS = 128, 100
RESUMED = "how long a client that comes again may resume its session"


def ports_besides(front: Front) -> int:
    """Listening sockets that TLS adds to each process."""
    return 1 if front.tls is not None and front.tls.redirect is not None else 0


def nginx_values(demand: Demand, layout: EdgeLayout) -> tuple[Value, ...]:
    """What nginx's TLS needs besides the table's own words; nothing where there is no TLS."""
    tls = layout.front.tls
    if tls is None:
        return ()
    known = connections(demand)
    cache = max(LEAST_CACHE, known * A_SESSION)
    found = (
        derived(
            "ssl_session_cache",
            cache,
            f"a session of {A_SESSION} bytes for each of {known:,} clients, and 1 MiB at least; "
            "those that keep a ticket need none",
        ),
        derived("ssl_session_timeout_s", LIFE_S, RESUMED),
        derived(
            "ssl_buffer_size",
            RECORD,
            "a record: the first byte is not held back for 16 KiB, which an HTTP/2 client would "
            "also cost as long as it stays",
        ),
    )
    return (*found, *_streams("http2_max_concurrent_streams", NGINX_STREAMS, layout, "nginx"))


def haproxy_values(demand: Demand, layout: EdgeLayout, count: int) -> tuple[Value, ...]:
    """The same of HAProxy, whose processes each remember their own."""
    tls = layout.front.tls
    if tls is None:
        return ()
    known = connections(demand)
    found = (
        derived(
            "tune_ssl_cachesize",
            max(LEAST_CACHE // A_BLOCK, math.ceil(known / count) * 2),
            f"two blocks of {A_BLOCK} bytes for each of {known:,} clients / {count} processes, "
            "and 1 MiB at least; those that keep a ticket need none",
        ),
        derived("tune_ssl_lifetime_s", LIFE_S, RESUMED),
    )
    streams = "tune_h2_max_concurrent_streams"
    return (*found, *_streams(streams, HAPROXY_STREAMS, layout, "HAProxy"))


def _streams(setting: str, most: int, layout: EdgeLayout, program: str) -> tuple[Value, ...]:
    tls = layout.front.tls
    if tls is None or not tls.http2:
        return ()
    return (derived(setting, most, f"requests of one client at once; {program}'s default"),)
