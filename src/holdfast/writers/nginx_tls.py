"""`[edge.tls]` as nginx's directives: certificate, versions, sessions, the port that redirects.

A certificate of files is one that changes while nginx serves. A reload would end idle clients in
the instant in which one of them asks, so nginx reads it anew for each handshake that is not a
resumption. Certificate and key are read one after the other, so neither file may be replaced while
it is read from: there are two of them, of which each is read in five seconds of ten.
"""

from __future__ import annotations

from holdfast.model.front.tls import Tls
from holdfast.model.path import Hop
from holdfast.writers.nginx_clients import listening
from holdfast.writers.site import Site, explained, plain, value_of

PAIR = "tls.pem"
"""The file, in the edge's folder, of chain and key together, where they never change."""
TURNS = ("tls-0.pem", "tls-5.pem")
"""The files that are read while the last digit of the clock's seconds is 0 to 4, and 5 to 9."""
TURN_S = 5
"""How long each is read at a time."""
TICKET_KEY = "tickets.key"
"""80 random bytes, under which clients' tickets are sealed."""
CIPHERS = (
    *("ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-GCM-SHA256"),
    *("ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-RSA-AES256-GCM-SHA384"),
    *("ECDHE-ECDSA-CHACHA20-POLY1305", "ECDHE-RSA-CHACHA20-POLY1305"),
)
"""Of TLS 1.2, those with forward secrecy and authenticated encryption (RFC 9325, 4.2): Mozilla's
"intermediate" without DHE. Those of 1.3 are all good."""


def files(tls: Tls) -> tuple[str, ...]:
    """Names of the files in which the edge looks for chain and key."""
    return (PAIR,) if tls.self_signed else TURNS


def listen(site: Site) -> str:
    """What `listen` says besides: that the port speaks TLS, and HTTP/2 to whoever asks for it."""
    tls = site.front.tls
    if tls is None:
        return ""
    return "ssl http2 " if tls.http2 else "ssl "


def variables(site: Site) -> list[str]:
    """What stands in `http` so that the server finds its certificate."""
    tls = site.front.tls
    if tls is None or tls.self_signed:
        return []
    low, high = TURNS
    return [
        "    # A new session reads the certificate anew, so that a renewed one needs no reload.",
        "    # Which of two files it reads changes each five seconds: the other may be replaced.",
        f'    map $msec $tls_pair {{ default {high}; "~[0-4]\\." {low}; }}',
        "",
    ]


def server(hop: Hop, site: Site) -> list[str]:
    """The lines of the server that speaks TLS. Not of `http`, whose other servers would complete
    the certificate's path once more each; it begins at the folder of nginx.conf."""
    tls = site.front.tls
    if tls is None:
        return []
    inner = "        "
    cache, life = value_of(hop, "ssl_session_cache"), value_of(hop, "ssl_session_timeout_s")
    record, streams = value_of(hop, "ssl_buffer_size"), "http2_max_concurrent_streams"
    pair = PAIR if tls.self_signed else "$tls_pair"
    versions = " ".join(f"TLSv{each}" for each in ("1.2", "1.3") if each >= tls.minimum)
    lines = [
        f"ssl_certificate {pair};",
        f"ssl_certificate_key {pair};",
        f"ssl_protocols {versions};",
        "# any of these is good: the client takes what its processor is fast at",
        f"ssl_ciphers {':'.join(CIPHERS)};",
        "ssl_prefer_server_ciphers off;",
        f"ssl_session_tickets {'on' if tls.tickets else 'off'};",
        *([f"ssl_session_ticket_key {TICKET_KEY};"] if tls.tickets else []),
    ]
    found = [f"{inner}{line}" for line in lines]
    found += explained(cache.why, f"ssl_session_cache shared:tls:{plain(cache)};", inner)
    found += explained(life.why, f"ssl_session_timeout {plain(life)}s;", inner)
    found += explained(record.why, f"ssl_buffer_size {plain(record)};", inner)
    if tls.http2:
        most = value_of(hop, streams)
        found += explained(most.why, f"{streams} {plain(most)};", inner)
    return [*found, *(f"{inner}{line}" for line in _hsts(tls))]


def servers(hop: Hop, site: Site) -> list[str]:
    """The server of the port that redirects."""
    if not site.redirect:
        return []
    inner = "        "
    reuse = "reuseport " if value_of(hop, "reuseport").value else ""
    options = f"{listening(site.front.clients)}{reuse}backlog={plain(value_of(hop, 'backlog'))}"
    port = "" if site.port == 443 else f":{site.port}"
    return [
        "",
        "    server {",
        *(f"{inner}listen {where} {options};" for where in site.redirect),
        f'{inner}if ($host = "") {{ return 400; }}',
        f"{inner}# 308: the method stays what it was",
        f"{inner}return 308 https://$host{port}$request_uri;",
        "    }",
    ]


def _hsts(tls: Tls) -> list[str]:
    if not tls.hsts:
        return []
    said = f'"max-age={tls.hsts:.0f}"'
    return [f"add_header Strict-Transport-Security {said} always;"]
