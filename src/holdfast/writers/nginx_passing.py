"""One `location` of nginx that passes requests on to the workers; the same lines for each path.

Decides only what each of them has to say: headers and timeouts are not inherited piece by piece.
"""

from __future__ import annotations

from collections.abc import Sequence

from holdfast.model.path import Hop
from holdfast.writers import nginx_clients, nginx_hosts
from holdfast.writers.site import Site, explained, plain, value_of

INNER = " " * 12
_SETTINGS = ("proxy_connect_timeout_s", "proxy_request_buffering", "proxy_max_temp_file_size")


def passing(
    hop: Hop,
    site: Site,
    path: str = "/",
    *,
    connection: Sequence[str] = ('proxy_set_header Connection "";',),
    read_timeout: str = "proxy_read_timeout_s",
    own: Sequence[str] = (),
) -> list[str]:
    """The location of a path, which may begin with a modifier such as `^~`.

    `connection` are the lines that say what is sent of `Connection`, `read_timeout` names the value
    that a silent worker is given, and `own` are further lines.
    """
    lines = (
        "proxy_pass http://app;",
        "# HTTP/1.1 without `Connection: close`: what makes upstream keepalive work",
        "proxy_http_version 1.1;",
        *connection,
        "proxy_set_header Host $http_host;",
        *nginx_clients.telling(site.front.clients),
    )
    return [
        f"        location {path} {{",
        *(f"{INNER}{line}" for line in lines),
        *(nginx_hosts.tries(hop) if site.front.hosts else _tries(site)),
        *set_lines(hop, read_timeout, INNER, directive="proxy_read_timeout"),
        *(line for name in _SETTINGS for line in set_lines(hop, name, INNER)),
        *(f"{INNER}{line}" for line in own),
        "        }",
    ]


def _tries(site: Site) -> list[str]:
    """To which other slots a request goes whose worker did not let it in."""
    return [
        f"{INNER}# what fails as it connects goes to one other worker; what one has held for",
        f"{INNER}# over 1 ms does not: one that dies would have all of it given to the others",
        f"{INNER}proxy_next_upstream_tries {_most_tries(site)};",
        f"{INNER}proxy_next_upstream_timeout 1ms;",
    ]


def _most_tries(site: Site) -> int:
    """One more than there may be slots that nobody serves: those fail at once."""
    if site.spare:
        return len(site.slots) + len(site.further) + 1
    return len(site.further) + 2


def set_lines(hop: Hop, setting: str, indent: str = "    ", directive: str = "") -> list[str]:
    """A value of the hop as its directive, below its reason; the directive is the setting's name
    unless it is said. Raises KeyError where the sizing gave none."""
    value = value_of(hop, setting)
    name = setting.removesuffix("_s")
    unit = "s" if name != setting else ""
    return explained(value.why, f"{directive or name} {plain(value)}{unit};", indent)
