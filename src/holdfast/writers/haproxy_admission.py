"""What HAProxy's file says of places: who waits how long, who is told at once, what always passes.

A server's `maxconn` keeps the number; here is what stands around it. Writes no file.
"""

from __future__ import annotations

from holdfast.model.path import Hop
from holdfast.writers.site import Site, explained, plain, value_of

HEALTH = "health"
TOLD = 'content-type text/plain string "no place is free\\n"'


def answers(hop: Hop) -> list[str]:
    """What whoever gets no place is told, among the defaults."""
    again = hop.get("retry_after_s")
    if again is None:
        return []
    return explained(
        f"when to come again: {again.why}",
        f"http-error status 503 {TOLD} hdr Retry-After {plain(again)}",
    )


def rules(hop: Hop, site: Site, backend: str) -> list[str]:
    """Who is told at once that there is no place; in the frontend."""
    if hop.get("retry_after_s") is None:
        return []
    room = value_of(hop, "queue_room")
    full = f"queue({backend}) ge {plain(room)}" if room.value else f"be_conn_free({backend}) le 0"
    asked = " !health" if site.health else ""
    return [
        *([f"    acl health path {' '.join(site.health)}"] if site.health else []),
        *explained(room.why, f"http-request deny deny_status 503 if{asked} {{ {full} }}"),
    ]


def uses(hop: Hop, site: Site) -> list[str]:
    """Where what needs no place goes; in the frontend, below all rules."""
    if hop.get("retry_after_s") is None or not site.health:
        return []
    return [f"    use_backend {HEALTH} if health"]


def backend(hop: Hop, site: Site, balance: str) -> list[str]:
    """The servers once more, for what needs no place."""
    if hop.get("retry_after_s") is None or not site.health:
        return []
    return [
        "",
        f"backend {HEALTH}",
        f"    balance {balance}",
        "    option redispatch",
        "    # no place is kept for it, and no connection to a worker that is replaced",
        "    http-reuse never",
        "    default-server pool-max-conn 0",
        *(f"    server slot-{index} unix@{slot}" for index, slot in enumerate(site.slots)),
    ]
