"""nginx's locations of websockets and event streams. Deterministic; no I/O."""

from __future__ import annotations

from holdfast.model.path import Hop
from holdfast.writers.nginx_passing import passing
from holdfast.writers.site import Site

_VARIABLES = (
    "# A client may ask for a websocket, and for nothing else: not for HTTP/2 (`h2c`).",
    'map $http_upgrade $upgrade_to { default ""; "~*^websocket$" websocket; }',
    'map $http_upgrade $upgrade_connection { default ""; "~*^websocket$" upgrade; }',
)
_UPGRADED = (
    "proxy_set_header Upgrade $upgrade_to;",
    "proxy_set_header Connection $upgrade_connection;",
)
_AT_ONCE = (
    "# each event goes on as it comes",
    "proxy_buffering off;",
)


def variables(site: Site) -> list[str]:
    """What stands in `http` so that `locations` can say what is passed of an upgrade."""
    return [*(f"    {line}" for line in _VARIABLES), ""] if site.front.websockets.paths else []


def locations(hop: Hop, site: Site) -> list[str]:
    """A location for each path that the site names, and one for all others."""
    sockets, streams = site.front.websockets.paths, site.front.streams.paths
    named = dict.fromkeys((*sockets, *streams))
    kept = site.front.cache.paths if site.front.cache else ()
    lines = [] if "/" in (*named, *kept) else passing(hop, site)
    for path in named:
        bare = path.rstrip("/")
        if path != bare and bare and bare not in named:
            # which nginx would answer itself: that the path has a slash at its end
            lines += passing(hop, site, f"= {bare}")
        own = _AT_ONCE if path in streams else ()
        if path in sockets:
            idle = "websocket_idle_s"
            lines += passing(hop, site, path, connection=_UPGRADED, read_timeout=idle, own=own)
        else:
            lines += passing(hop, site, path, read_timeout="stream_idle_s", own=own)
    return lines
