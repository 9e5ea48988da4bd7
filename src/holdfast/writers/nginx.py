"""A sized edge as nginx's whole configuration: {file name: text}. Deterministic; no I/O.

Writes nothing outside its own folder: no log, no pid, no temporary file in /var or /run.
"""

from __future__ import annotations

from holdfast.model.path import Hop
from holdfast.writers import (
    nginx_admission,
    nginx_clients,
    nginx_hosts,
    nginx_tls,
    nginx_upgrades,
)
from holdfast.writers import nginx_content as content
from holdfast.writers.nginx_passing import set_lines as _set
from holdfast.writers.site import Balance, Site, alive, explained, idle_s, plain, value_of

FILE = "nginx.conf"
PROBE = "nginx.sock"
"""The socket, in the edge's folder, on which nginx itself answers 204."""
_BALANCE: dict[Balance, str] = {
    "least": "least_conn;",
    "round_robin": "",
    "hash": "hash $binary_remote_addr consistent;",
    "random_two": "random two least_conn;",
}
_TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


def render(hop: Hop, site: Site) -> dict[str, str]:
    """The configuration of a sized `nginx` hop at `site`; raises KeyError for a missing value."""
    lines = [
        f"# nginx for holdfast: {hop.processes} workers before {site.behind}.",
        f"# Start it as: nginx -p . -c {site.folder}/{FILE} -e stderr",
        *([f'load_module "{site.brotli}";'] if site.brotli else []),
        "daemon off;",
        f"pid {site.folder}/nginx.pid;",
        "error_log stderr crit;",
        *_set(hop, "worker_processes", indent=""),
        *_set(hop, "worker_rlimit_nofile", indent=""),
        "",
        "events {",
        *_set(hop, "worker_connections"),
        "}",
        "",
        "http {",
        "    access_log off;",
        "    server_tokens off;",
        *(f"    {kind}_temp_path {site.folder}/{kind};" for kind in _TEMPORARY),
        *_set(hop, "keepalive_timeout_s"),
        *_set(hop, "client_header_timeout_s"),
        *_set(hop, "client_body_timeout_s"),
        "    # a client that is cut leaves nothing in the kernel either",
        "    reset_timedout_connection on;",
        *_set(hop, "client_max_body_size"),
        *_set(hop, "client_body_buffer_size"),
        *content.http(hop, site),
        "",
        *_upstream(hop, site),
        "",
        *nginx_clients.believing(site.front.clients),
        *nginx_tls.variables(site),
        *nginx_upgrades.variables(site),
        *nginx_admission.variables(hop, site),
        *_server(hop, site),
        *nginx_tls.servers(hop, site),
        "",
        "    # Who started nginx asks here whether it answers.",
        f"    server {{ listen unix:{site.folder}/{PROBE}; return 204; }}",
        "}",
    ]
    return {FILE: "\n".join(lines) + "\n"}


def _upstream(hop: Hop, site: Site) -> list[str]:
    keepalive, idle, zone = value_of(hop, "keepalive"), idle_s(hop), value_of(hop, "zone")
    balance = _BALANCE[site.balance]
    inner = "        "
    return [
        "    upstream app {",
        *(explained(zone.why, "zone app 512k;", inner) if zone.value else []),
        *([f"{inner}{balance}"] if balance else []),
        *(nginx_hosts.servers(hop, site) if site.front.hosts else _slots(site)),
        *explained(keepalive.why, f"keepalive {plain(keepalive)};", inner),
        *explained(idle.why, f"keepalive_timeout {plain(idle)}s;", inner),
        "    }",
    ]


def _slots(site: Site) -> list[str]:
    inner = "        "
    return [
        f"{inner}# max_fails 0: a slot's worker always runs, and a full queue must not cascade",
        *(f"{inner}server unix:{slot} max_fails=0;" for slot in site.slots),
        *(f"{inner}server unix:{slot} max_fails=1 fail_timeout=5s;" for slot in site.further),
        *(
            f"{inner}server unix:{slot} backup max_fails=1 fail_timeout=1s;"
            for slot in site.spare
            if site.balance in {"least", "round_robin"}
        ),
    ]


def _server(hop: Hop, site: Site) -> list[str]:
    backlog = value_of(hop, "backlog")
    inner = "        "
    share = value_of(hop, "reuseport")
    reuse = "reuseport " if share.value else ""
    idle, every, probes = alive(hop)
    asked = f"so_keepalive={plain(idle)}s:{plain(every)}s:{plain(probes)}"
    spoken = nginx_tls.listen(site) + nginx_clients.listening(site.front.clients)
    options = f"{spoken}{reuse}backlog={plain(backlog)} {asked}"
    listens = [f"listen {where} {options};" for where in site.listen]
    return [
        "    server {",
        *explained(f"{share.why}; {backlog.why}; {idle.why}", listens[0], inner),
        *(f"{inner}{line}" for line in listens[1:]),
        *nginx_tls.server(hop, site),
        "        # HTTP/0.9 has no headers, and no version: nothing is left that speaks it",
        '        if ($server_protocol = "") { return 400; }',
        *content.server(hop, site),
        *nginx_upgrades.locations(hop, site),
        *nginx_admission.rules(hop),
        "    }",
    ]
