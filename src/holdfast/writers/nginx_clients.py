"""nginx's lines of client addresses: whom it believes, and what it tells a worker. No I/O."""

from __future__ import annotations

from holdfast.model.front.clients import CLAIMS, PROXY_PROTOCOL, Clients


def believing(clients: Clients) -> list[str]:
    """What stands in `http`: who is trusted to say which address a client has, and by what scheme
    it came."""
    if not clients.trusted:
        return []
    by_protocol = clients.header == PROXY_PROTOCOL
    header = "proxy_protocol" if by_protocol else clients.header
    lines = [
        "# from the end of the list on, the first one that is not trusted itself is the client",
        *(f"set_real_ip_from {network};" for network in clients.trusted),
        f"real_ip_header {header};",
        "real_ip_recursive on;",
    ]
    if not by_protocol:
        known = " ".join(f"{network} 1;" for network in clients.trusted)
        lines += [
            f"geo $realip_remote_addr $trusted_peer {{ default 0; {known} }}",
            'map "$trusted_peer $http_x_forwarded_proto" $client_scheme {',
            '    default $scheme; "1 https" https; "1 http" http;',
            "}",
        ]
    return [*(f"    {line}" for line in lines), ""]


def listening(clients: Clients) -> str:
    """What `listen` says besides, with a space after it."""
    return "proxy_protocol " if clients.trusted and clients.header == PROXY_PROTOCOL else ""


def telling(clients: Clients) -> list[str]:
    """What a location says: no other header passes in which a worker could believe anybody."""
    told = clients.trusted and clients.header != PROXY_PROTOCOL
    return [
        "# overwritten, not added to: what a client claims of itself goes no further",
        "proxy_set_header X-Forwarded-For $remote_addr;",
        f"proxy_set_header X-Forwarded-Proto {'$client_scheme' if told else '$scheme'};",
        *(f'proxy_set_header {name} "";' for name in CLAIMS),
    ]
