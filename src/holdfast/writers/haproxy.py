"""A sized edge as HAProxy's whole configuration: {file name: text}. Deterministic; no I/O.

One file a process, alike but for the sockets: each process counts `maxconn` for itself.
"""

from __future__ import annotations

from holdfast.model.path import Hop
from holdfast.writers.site import Balance, Site, explained, idle_s, plain, value_of

BACKEND = "app"
_BALANCE: dict[Balance, str] = {
    "least": "leastconn",
    "round_robin": "roundrobin",
    "hash": "source",
    "random_two": "random(2)",
}
_TIMEOUTS = (
    *("timeout_connect_s", "timeout_client_s", "timeout_server_s", "timeout_queue_s"),
    *("timeout_http_request_s", "timeout_http_keep_alive_s"),
)
POOLED = "server_pool_max_conn"
_POOL = ("tune_pool_low_fd_ratio", "tune_pool_high_fd_ratio")


def file(process: int) -> str:
    """Name of the file of one process."""
    return f"haproxy-{process}.cfg"


def admin(process: int) -> str:
    """Name of one process's socket of the runtime API, in the edge's folder."""
    return f"haproxy-{process}.sock"


def server(slot: int) -> str:
    """A slot's server as the runtime API names it."""
    return f"{BACKEND}/slot-{slot}"


def render(hop: Hop, site: Site) -> dict[str, str]:
    """The configuration of each of a sized `haproxy` hop's processes at `site`.

    `site.listen` has one socket a process, or one that all share by SO_REUSEPORT. Raises KeyError
    for a missing value.
    """
    return {file(index): _text(hop, site, index) for index in range(hop.processes)}


def _text(hop: Hop, site: Site, process: int) -> str:
    where = site.listen[process % len(site.listen)]
    backlog = value_of(hop, "backlog")
    lines = [
        f"# HAProxy for holdfast: process {process} of {hop.processes}, {len(site.slots)} slots.",
        f"# Start it as: haproxy -db -f {site.folder}/{file(process)}",
        "global",
        *_set(hop, "maxconn"),
        *_set(hop, "ulimit_n"),
        *_set(hop, "nbthread"),
        *(line for name in _POOL for line in _set(hop, name)),
        *_set(hop, "hard_stop_after_s"),
        f"    stats socket unix@{site.folder}/{admin(process)} mode 600 level admin",
        "",
        "defaults",
        "    mode http",
        "    option dontlognull",
        *(line for name in _TIMEOUTS for line in _set(hop, name)),
        "",
        "frontend in",
        *explained(backlog.why, f"bind {where} backlog {plain(backlog)}"),
        *_set(hop, "maxconn"),
        "    # overwritten, not added to: what a client claims of itself goes no further",
        "    http-request set-header X-Forwarded-For %[src]",
        "    http-request set-header X-Forwarded-Proto http",
        f"    default_backend {BACKEND}",
        "",
        *_backend(hop, site),
    ]
    return "\n".join(lines) + "\n"


def _set(hop: Hop, setting: str) -> list[str]:
    value = value_of(hop, setting)
    words = setting.removesuffix("_s").replace("_", "-")
    for section, end in (("timeout", " "), ("tune", ".")):
        words = words.replace(f"{section}-", f"{section}{end}", 1)
    unit = "s" if setting.endswith("_s") else ""
    return explained(value.why, f"{words} {plain(value)}{unit}")


def _backend(hop: Hop, site: Site) -> list[str]:
    cap, kept, idle = value_of(hop, "server_maxconn"), value_of(hop, POOLED), idle_s(hop)
    each = f"maxconn {plain(cap)} pool-max-conn {plain(kept)} pool-purge-delay {plain(idle)}s"
    return [
        f"backend {BACKEND}",
        f"    balance {_BALANCE[site.balance]}",
        "    http-reuse always",
        "    option redispatch",
        *explained(f"{cap.why}; {kept.why}; {idle.why}", f"default-server {each}"),
        *(f"    server slot-{index} unix@{slot}" for index, slot in enumerate(site.slots)),
        *(f"    server spare-{index} unix@{slot} backup" for index, slot in enumerate(site.spare)),
        "    # asked in the instant in which all others are told to let go idle connections",
        f"    server last unix@{site.slots[0]} backup",
    ]
