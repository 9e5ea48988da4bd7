"""Several hosts behind a HAProxy: a server each, and how one that is gone is found out. No I/O."""

from __future__ import annotations

from holdfast.model.front.upstreams import lasting, share
from holdfast.model.path import Hop
from holdfast.writers.site import Site, explained, plain, seconds, value_of


def lines(hop: Hop) -> list[str]:
    """What a backend of hosts says, and one of slots does not."""
    retries, idle = value_of(hop, "retries"), value_of(hop, "server_keepalive_idle_s")
    return [
        *explained(retries.why, f"retries {plain(retries)}"),
        "    option redispatch 1",
        *explained(idle.why, "option srvtcpka"),
        f"    srvtcpka-idle {seconds(idle)}",
        f"    srvtcpka-intvl {seconds(value_of(hop, 'server_keepalive_every_s'))}",
        f"    srvtcpka-cnt {plain(value_of(hop, 'server_keepalive_probes'))}",
    ]


def words(hop: Hop) -> tuple[str, str]:
    """What a `default-server` line says of hosts, and why."""
    gone = value_of(hop, "server_tcp_ut_s")
    return f" tcp-ut {seconds(gone)}", f"; {gone.why}"


def servers(hop: Hop, site: Site) -> list[str]:
    """A line a host; where some are heavier, each has its part of the cap."""
    hosts = site.front.hosts
    if len({host.weight for host in hosts}) == 1:
        return [f"    server host-{at} {host.address}" for at, host in enumerate(hosts)]
    here, weights = len(hosts) - site.front.spare_hosts, lasting(hosts, site.front.spare_hosts)
    whole = value_of(hop, "server_maxconn").number * here
    return [
        f"    server host-{at} {host.address} weight {host.weight} "
        f"maxconn {share(host, whole, weights)}"
        for at, host in enumerate(hosts)
    ]
