"""Several hosts behind an nginx: its servers, and who is asked when one does not answer. No I/O."""

from __future__ import annotations

from holdfast.model.path import Hop
from holdfast.writers.site import Site, explained, plain, value_of


def servers(hop: Hop, site: Site) -> list[str]:
    """A line a host, below why it is taken out as late as it is."""
    fails, out = value_of(hop, "max_fails"), value_of(hop, "fail_timeout_s")
    lines = [
        f"server {host.address}{_weight(host.weight)} max_fails={plain(fails)} "
        f"fail_timeout={plain(out)}s;"
        for host in site.front.hosts
    ]
    inner = " " * 8
    why = f"max_fails: {fails.why}; fail_timeout: {out.why}"
    return [*explained(why, lines[0], inner), *(f"{inner}{line}" for line in lines[1:])]


def tries(hop: Hop) -> list[str]:
    """To which other hosts a request goes: POSTs and the like only where nothing was sent."""
    names = ("proxy_next_upstream_tries", "proxy_next_upstream_timeout_s")
    most, within = (value_of(hop, name) for name in names)
    inner = " " * 12
    return [
        *explained(most.why, f"{names[0]} {plain(most)};", inner),
        *explained(within.why, f"proxy_next_upstream_timeout {plain(within)}s;", inner),
    ]


def _weight(weight: int) -> str:
    return f" weight={weight}" if weight > 1 else ""
