"""`[edge.tls]` as HAProxy's lines: certificate, versions, sessions, the port that redirects.

The certificate has a file's name, by which the runtime API puts another in its place.
"""

from __future__ import annotations

from holdfast.model.path import Hop
from holdfast.writers import haproxy_clients
from holdfast.writers.nginx_tls import CIPHERS
from holdfast.writers.site import Site, explained, plain, value_of

PAIR = "tls.pem"
"""The file, in the edge's folder, of chain and key together."""
TICKET_KEYS = "tickets.keys"
"""The keys, a line each in base64, under which clients' tickets are sealed in every process."""
_SETTINGS = ("tune_ssl_cachesize", "tune_ssl_lifetime_s")


def bind(site: Site) -> str:
    """What `bind` says besides."""
    tls = site.front.tls
    if tls is None:
        return ""
    spoken = "h2,http/1.1" if tls.http2 else "http/1.1"
    keys = f" tls-ticket-keys {site.folder}/{TICKET_KEYS}" if tls.tickets else ""
    return f" ssl crt {site.folder}/{PAIR} alpn {spoken}{keys}"


def of_process(hop: Hop, site: Site) -> list[str]:
    """The lines of `global`."""
    tls = site.front.tls
    if tls is None:
        return []
    tickets = "" if tls.tickets else " no-tls-tickets"
    lines = [
        f"    ssl-default-bind-options ssl-min-ver TLSv{tls.minimum}{tickets}",
        "    # any of these is good: the client takes what its processor is fast at",
        f"    ssl-default-bind-ciphers {':'.join(CIPHERS)}",
    ]
    cache, life = (value_of(hop, name) for name in _SETTINGS)
    lines += explained(cache.why, f"tune.ssl.cachesize {plain(cache)}")
    lines += explained(life.why, f"tune.ssl.lifetime {plain(life)}s")
    if tls.http2:
        streams = value_of(hop, "tune_h2_max_concurrent_streams")
        lines += explained(streams.why, f"tune.h2.max-concurrent-streams {plain(streams)}")
    return lines


def versions(site: Site) -> str:
    """The versions of HTTP that a request may have, as `req.ver` says them."""
    tls = site.front.tls
    return "1.0 1.1 2.0" if tls is not None and tls.http2 else "1.0 1.1"


def unsized(hop: Hop, site: Site) -> list[str]:
    """Have a body of HTTP/2 whose length nobody says treated as a chunked one."""
    tls = site.front.tls
    if tls is None or not tls.http2:
        return []
    wait = plain(value_of(hop, "timeout_http_request_s"))
    open_ended = "{ fc_http_major 2 } !{ req.fhdr(content-length) -m found }"
    return [
        "    # a body of HTTP/2 need not say its length: it is judged as a chunked one is",
        f"    http-request wait-for-body time {wait}s if {open_ended}",
        f"    http-request set-var(txn.open) bool(true) if {open_ended} {{ req.body_len gt 0 }}",
        "    acl chunked var(txn.open) -m bool",
    ]


def told(site: Site) -> list[str]:
    """What clients and workers are told of how it came."""
    tls = site.front.tls
    if tls is None:
        return ["    http-request set-header X-Forwarded-Proto http"]
    lines = ["    http-request set-header X-Forwarded-Proto https"]
    if tls.hsts:
        said = f"max-age={tls.hsts:.0f}"
        lines.append(f"    http-after-response set-header Strict-Transport-Security {said}")
    return lines


def redirect(hop: Hop, site: Site, process: int, host: str) -> list[str]:
    """The frontend of the port that redirects; `host` is what a good Host header matches."""
    if not site.redirect:
        return []
    where = site.redirect[process % len(site.redirect)]
    port = "" if site.port == 443 else f":{site.port}"
    name = "%[req.hdr(host),regsub(:[0-9]+$,)]"
    return [
        "frontend redirect",
        f"    bind {where} backlog {plain(value_of(hop, 'backlog'))}",
        *haproxy_clients.expecting(site.front.clients),
        f"    http-request deny deny_status 400 if !{{ req.fhdr(host) -m reg {host} }}",
        "    # 308: the method stays what it was",
        f"    http-request redirect location https://{name}{port}%[pathq] code 308",
        "",
    ]
