"""HAProxy's rules of client addresses: whom it believes, and what it tells a worker. No I/O."""

from __future__ import annotations

from typing import Final

from holdfast.model.front.clients import CLAIMS, PROXY_PROTOCOL, Clients

MOST_HOPS: Final = 5
"""Trusted balancers behind each other: HAProxy has no loop, so there is a rule for each."""


def believing(clients: Clients) -> list[str]:
    """What the frontend says before it uses a client's address."""
    if not clients.trusted:
        return []
    trusted = f"{{ src {' '.join(clients.trusted)} }}"
    if clients.header == PROXY_PROTOCOL:
        return expecting(clients)
    hops = range(1, MOST_HOPS + 1)
    known = [" ".join(f"hop_{before}" for before in hops[:hop]) for hop in hops]
    sent = "{ req.hdr(X-Forwarded-Proto) http https } { req.hdr_cnt(X-Forwarded-Proto) eq 1 }"
    return [
        f"    http-request set-var(txn.scheme) req.hdr(X-Forwarded-Proto) if {trusted} {sent}",
        "    # from the end of the list on, the first one that is not trusted itself is the client",
        *(f"    acl hop_{hop} req.hdr_ip({clients.header},-{hop}) -m found" for hop in hops),
        *(
            f"    http-request set-src req.hdr_ip({clients.header},-{hop}) if {trusted} {before}"
            for hop, before in zip(hops, known, strict=True)
        ),
    ]


def telling() -> list[str]:
    """What the frontend sends on: no other header in which a worker could believe anybody."""
    return [
        "    # overwritten, not added to: what a client claims of itself goes no further",
        "    http-request set-header X-Forwarded-For %[src]",
        *(f"    http-request del-header {name}" for name in CLAIMS),
    ]


def scheme(clients: Clients) -> list[str]:
    """What takes the place of the connection's own scheme: what a trusted peer says."""
    if not clients.trusted or clients.header == PROXY_PROTOCOL:
        return []
    rule = "http-request set-header X-Forwarded-Proto %[var(txn.scheme)]"
    return [f"    {rule} if {{ var(txn.scheme) -m found }}"]


def expecting(clients: Clients) -> list[str]:
    """What a frontend says so that trusted peers are heard by the proxy protocol."""
    if not clients.trusted or clients.header != PROXY_PROTOCOL:
        return []
    trusted = " ".join(clients.trusted)
    return [f"    tcp-request connection expect-proxy layer4 if {{ src {trusted} }}"]
