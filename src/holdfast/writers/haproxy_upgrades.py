"""HAProxy's rules of websockets and event streams. Deterministic; no I/O."""

from __future__ import annotations

from holdfast.model.path import Hop
from holdfast.writers.site import Site, explained, plain, value_of

_ASKED = "websocket_path websocket_alone { req.fhdr(upgrade) -i websocket }"


def rules(site: Site) -> list[str]:
    """What the frontend says: whose `Upgrade` goes on, and that no event waits for the next."""
    sockets, streams = site.front.websockets.paths, site.front.streams.paths
    lines = []
    if sockets:
        lines += [
            f"    acl websocket_path path_beg {' '.join(dict.fromkeys(sockets))}",
            "    acl websocket_alone req.fhdr_cnt(upgrade) eq 1",
        ]
    why = "a worker may be asked for a websocket where the site has any, and never for HTTP/2"
    condition = f" unless {_ASKED}" if sockets else ""
    lines += explained(why, f"http-request del-header Upgrade{condition}")
    if streams:
        lines += explained("each event goes on as it comes", "option http-no-delay")
    return lines


def patience(hop: Hop, site: Site) -> list[str]:
    """What the backend says of streams, whose app may be silent for longer than others."""
    if not site.front.streams.paths:
        return []
    idle, paths = value_of(hop, "stream_idle_s"), " ".join(dict.fromkeys(site.front.streams.paths))
    rule = f"http-request set-timeout server {plain(idle)}s if {{ path_beg {paths} }}"
    return explained(idle.why, rule)


def timeouts(hop: Hop, site: Site) -> list[str]:
    """What `defaults` says of connections that were upgraded."""
    if not site.front.websockets.paths:
        return []
    idle = value_of(hop, "timeout_tunnel_s")
    return explained(idle.why, f"timeout tunnel {plain(idle)}s")
