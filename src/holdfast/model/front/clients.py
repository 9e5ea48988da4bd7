"""Who says which address a client has: the table `[edge.clients]`. No behaviour."""

from __future__ import annotations

import ipaddress
from typing import Annotated, Final

from msgspec import Meta, Struct

PROXY_PROTOCOL: Final = "proxy protocol"
USUAL_HEADER: Final = "X-Forwarded-For"
CLAIMS: Final = (
    *("Forwarded", "X-Real-IP", "X-Client-IP", "X-Scheme"),
    *(f"X-Forwarded-{what}" for what in ("Host", "Port", "Prefix", "Protocol", "Ssl")),
)
"""Further headers in which servers and frameworks believe what is said of a client: none passes."""

HeaderName = Annotated[str, Meta(pattern=rf"^[A-Za-z][A-Za-z0-9-]*$|^{PROXY_PROTOCOL}$")]


class Clients(Struct, frozen=True, forbid_unknown_fields=True):
    """Client addresses: the edge's own view, or what a trusted balancer before it says.

    Raises ValueError for a network that is none, and for a header that nothing here can read.
    """

    trusted: Annotated[
        tuple[str, ...],
        Meta(
            description="Networks of the balancers before the edge, such as `10.0.0.0/8`: what "
            "they say of a client's address and scheme is believed, and nobody else."
        ),
    ] = ()
    header: Annotated[
        HeaderName,
        Meta(
            description="The header in which they say it, the last hop at the end; or "
            f"`{PROXY_PROTOCOL}`."
        ),
    ] = USUAL_HEADER

    def __post_init__(self) -> None:
        for network in self.trusted:
            try:
                ipaddress.ip_network(network)
            except ValueError as error:
                raise ValueError(f"`{network}` is no network: {error}") from None
        if self.header.lower() == "forwarded":
            raise ValueError(
                "neither nginx nor HAProxy takes an address from `Forwarded` (RFC 7239): "
                f"have the balancer send `{USUAL_HEADER}`"
            )
