"""The edges' configurations as text, from the values of the same hop that the model is given."""

from __future__ import annotations

from holdfast.model.path import Demand, Hop, Path, Spread
from holdfast.programs import haproxy_rows, nginx_rows
from holdfast.programs.rows import Setting, effective

TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


def nginx(path: Path, demand: Demand, listens: list[str], servers: list[str]) -> str:
    """nginx in front of servers; a listen is ADDRESS:PORT or a path."""
    hop = path.hop("edge")
    reuseport = " reuseport" if _value(hop, nginx_rows.REUSEPORT) else ""
    http2 = " http2" if demand.streams > 1 else ""
    backlog = f" backlog={effective(hop, nginx_rows.BACKLOG).number:g}"
    most = f" max_conns={effective(hop, nginx_rows.MAX_CONNS).number:g} max_fails=0"
    lines = [
        "daemon off; pid nginx.pid;",
        f"worker_processes {hop.processes};",
        _line(hop, nginx_rows.WORKER_RLIMIT_NOFILE),
        "events {",
        _line(hop, nginx_rows.WORKER_CONNECTIONS),
        "} http {",
        *(f"{name}_temp_path {name};" for name in TEMPORARY),
        *(f"access_log access{n}.log;" for n in range(int(_value(hop, nginx_rows.LOG_FILES)))),
        "" if _value(hop, nginx_rows.LOG_FILES) else "access_log off;",
        "limit_conn_zone $server_name zone=all:1m;",
        "upstream app {",
        "zone app 64k;" if _value(hop, nginx_rows.ZONE) else "",
        "least_conn;" if hop.links[0].spread is Spread.LEAST else "",
        *(f"server {_nginx_place(place)}{most};" for place in servers),
        "} server { server_name here;",
        *(f"listen {_nginx_place(at)}{http2}{reuseport}{backlog};" for at in listens),
        _line(hop, nginx_rows.LIMIT_CONN, "limit_conn all {}"),
        _line(hop, nginx_rows.STREAMS),
        _line(hop, nginx_rows.CONNECT_TIMEOUT_S, "proxy_connect_timeout {:.0f}ms", 1_000),
        "proxy_next_upstream off;" if hop.get("next_upstream_off") else "",
        "location / { proxy_pass http://app; } } }",
    ]
    return "\n".join(line for line in lines if line)


def haproxy(path: Path, demand: Demand, listens: list[str], servers: list[str]) -> str:
    """HAProxy in front of servers; a listen is ADDRESS:PORT or a path."""
    hop = path.hop("edge")
    http2 = " proto h2" if demand.streams > 1 else ""
    most = _line(hop, haproxy_rows.SERVER_MAXCONN, " maxconn {}", end="")
    balance = "leastconn" if hop.links[0].spread is Spread.LEAST else "roundrobin"
    lines = [
        "global",
        _line(hop, haproxy_rows.MAXCONN, end=""),
        _line(hop, haproxy_rows.NBTHREAD, end=""),
        "stats socket unix@stats.sock mode 600" if _value(hop, haproxy_rows.STATS_SOCKETS) else "",
        "no strict-limits" if hop.get("nofile") else "",
        "defaults",
        "mode http",
        "timeout client 60s",
        "timeout server 60s",
        _line(hop, haproxy_rows.TIMEOUT_CONNECT_S, "timeout connect {:.0f}ms", 1_000, ""),
        _line(hop, haproxy_rows.RETRIES, end=""),
        _line(hop, haproxy_rows.TIMEOUT_QUEUE_S, "timeout queue {:.0f}ms", 1_000, ""),
        "frontend front",
        *(f"bind {place}{http2}" for place in listens),
        _line(hop, haproxy_rows.FRONTEND_MAXCONN, "maxconn {}", end=""),
        _line(hop, haproxy_rows.BACKLOG, end=""),
        "default_backend app",
        "backend app",
        f"balance {balance}",
        *(f"server s{n} {place}{most}" for n, place in enumerate(servers)),
    ]
    return "\n".join(line for line in lines if line) + "\n"


def _nginx_place(place: str) -> str:
    return f"unix:{place}" if place.startswith("/") else place


def _value(hop: Hop, row: Setting) -> float:
    return effective(hop, row).number


def _line(
    hop: Hop, row: Setting, form: str = "", factor: float | None = None, end: str = ";"
) -> str:
    """The setting as one line, or nothing where the hop leaves it to its default."""
    value = hop.get(row.name)
    if value is None or value.value is None:
        return ""
    shown = value.value if factor is None else value.number * factor
    return (form or f"{row.name} {{}}").format(shown) + end
