"""nginx's directives: a row each, with where it may stand and where it lands. Reads nothing.

Contexts and arguments are those of nginx's own reference.
"""

from __future__ import annotations

from holdfast.readers.amounts import (
    count,
    most_open,
    remembered,
    seconds,
    size,
    sizes,
    stated,
    switch,
    word,
)
from holdfast.readers.contract import Amount, Row

MAIN, EVENTS, HTTP, SERVER, LOCATION = "main", "events", "http", "server", "location"
UPSTREAM, STREAM, STREAM_SERVER = "upstream", "stream", "stream server"
STREAM_UPSTREAM, MAIL, MAIL_SERVER = "stream upstream", "mail", "mail server"
LISTENING = frozenset((SERVER, STREAM_SERVER, MAIL_SERVER))
EVERYWHERE = frozenset((HTTP, SERVER, LOCATION))


def _http(name: str, lands: str, amount: Amount, least: int = 1, most: int = 1) -> Row:
    return Row(name, EVERYWHERE, lands, amount, least, most, None if least > 1 else 0)


def _timeout(name: str, most: int = 1) -> Row:
    return _http(name, f"{name}_s", seconds, most=most)


_SERVERS = frozenset((HTTP, SERVER))
_BALANCED = frozenset((UPSTREAM, STREAM_UPSTREAM))
_STREAMS = frozenset((STREAM, STREAM_SERVER))
_LARGE = "large_client_header_buffers"

ROWS = (
    Row("worker_processes", frozenset((MAIN,)), "worker_processes", word),
    Row("worker_rlimit_nofile", frozenset((MAIN,)), "worker_rlimit_nofile", count),
    Row("worker_connections", frozenset((EVENTS,)), "worker_connections", count),
    Row("multi_accept", frozenset((EVENTS,)), "multi_accept", switch),
    Row("http2", _SERVERS, "http2", switch),
    Row("http2_max_concurrent_streams", _SERVERS, "http2_max_concurrent_streams", count),
    Row("client_header_buffer_size", _SERVERS, "client_header_buffer_size", size),
    Row("large_client_header_buffers", _SERVERS, _LARGE, sizes, 2, 2, None),
    Row("max_headers", _SERVERS, "max_headers", count),
    Row("ssl_session_cache", _SERVERS, "ssl_session_cache", remembered, 1, 2, None),
    Row("ssl_session_timeout", _SERVERS, "ssl_session_timeout_s", seconds),
    Row("ssl_buffer_size", _SERVERS, "ssl_buffer_size", size),
    Row("client_header_timeout", _SERVERS, "client_header_timeout_s", seconds),
    _timeout("keepalive_timeout", 2),
    *(_timeout(name) for name in ("keepalive_min_timeout", "keepalive_time")),
    *(_timeout(name) for name in ("client_body_timeout", "send_timeout", "proxy_connect_timeout")),
    *(_timeout(name) for name in ("proxy_send_timeout", "proxy_read_timeout")),
    _timeout("proxy_next_upstream_timeout"),
    _http("proxy_next_upstream_tries", "proxy_next_upstream_tries", count),
    _http("keepalive_requests", "keepalive_requests", count),
    _http("limit_conn_status", "limit_conn_status", count),
    _http("real_ip_header", "real_ip_header", word),
    _http("real_ip_recursive", "real_ip_recursive", switch),
    _http("proxy_http_version", "proxy_http_version", word),
    _http("client_body_buffer_size", "client_body_buffer_size", size),
    _http("client_max_body_size", "client_max_body_size", size),
    _http("proxy_request_buffering", "proxy_request_buffering", switch),
    _http("proxy_buffering", "proxy_buffering", switch),
    _http("proxy_buffer_size", "proxy_buffer_size", size),
    _http("proxy_buffers", "proxy_buffers", sizes, 2, 2),
    _http("proxy_max_temp_file_size", "proxy_max_temp_file_size", size),
    Row("open_file_cache", EVERYWHERE, "open_file_cache", most_open, 1, 2, None),
    _timeout("open_file_cache_valid"),
    _http("gzip_min_length", "gzip_min_length", count),
    *(_timeout(f"proxy_cache_lock_{what}") for what in ("timeout", "age")),
    Row("keepalive", frozenset((UPSTREAM,)), "keepalive", count, 1, 2),
    Row("keepalive_timeout", frozenset((UPSTREAM,)), "upstream_keepalive_timeout_s", seconds),
    Row("keepalive_requests", frozenset((UPSTREAM,)), "upstream_keepalive_requests", count),
    Row("zone", _BALANCED, "zone", stated, 1, 2),
    Row("proxy_connect_timeout", _STREAMS, "proxy_connect_timeout_s", seconds),
    Row("proxy_timeout", _STREAMS, "proxy_timeout_s", seconds),
)
ALIVE = ("keepalive_idle_s", "keepalive_every_s", "keepalive_probes")
"""What the parts of `so_keepalive=60s:10s:3` say; an empty part leaves it to the system."""
OF_A_SERVER = {"max_conns": count, "max_fails": count, "fail_timeout": seconds}
"""What `server ... name=value` of an upstream may say of each server."""
PASSES = {
    "proxy_pass": 80,
    "grpc_pass": 80,
    "uwsgi_pass": None,
    "fastcgi_pass": None,
    "scgi_pass": None,
}
"""Directives that dial, each with the port that is meant where none is written."""
BALANCE = ("least_conn", "least_time", "ip_hash", "hash", "random")
BOUND = ("backlog", "bind", "deferred", "fastopen", "ipv6only", "reuseport", "rcvbuf", "setfib")
"""Parameters of `listen` that make a socket of its own beside one for every address."""
BLOCKS = {
    MAIN: {"events": EVENTS, "http": HTTP, "stream": STREAM, "mail": MAIL},
    HTTP: {"server": SERVER, "upstream": UPSTREAM},
    SERVER: {"location": LOCATION, "if": LOCATION},
    LOCATION: {"location": LOCATION, "if": LOCATION, "limit_except": LOCATION},
    MAIL: {"server": MAIL_SERVER},
    STREAM: {"server": STREAM_SERVER, "upstream": STREAM_UPSTREAM},
}
"""Which blocks a context has, and the context in each."""
SEEN = frozenset(
    (
        *("listen", "server_name", "access_log", "error_log"),
        *("proxy_set_header", "limit_conn", "limit_req", "set_real_ip_from", "alias"),
        *("limit_conn_zone", "limit_req_zone", "set", "server", *PASSES, *BALANCE),
    )
)
"""Directives without a row of which something is made."""
ZONES = frozenset(("limit_conn_zone", "limit_req_zone"))
"""Directives that name a zone by the key that it counts."""
TAKES = {
    **dict.fromkeys(("set", "proxy_set_header", "limit_conn", "limit_conn_zone"), (2, 2)),
    **dict.fromkeys(("alias", "set_real_ip_from"), (1, 1)),
    "limit_req": (1, 4),
    "limit_req_zone": (3, 4),
}
"""How many words follow a directive without a row, at least and at most; others take any."""
MADE: dict[str, tuple[int, frozenset[str]]] = {
    "map": (2, frozenset(("include",))),
    "geo": (1, frozenset(("include", "delete", "proxy"))),
    "split_clients": (2, frozenset()),
}
"""Blocks that make a variable, their last word: how many words they have at least, and which of
their entries are no value of it."""
SHARED_KEYS = frozenset(("$server_name", "$host", "$http_host", "$server_port", "$scheme"))
"""Variables that are the same for all clients of a site."""
ADDRESSES = frozenset(("$binary_remote_addr", "$remote_addr"))
"""Variables that are the address that a client has, or is said to have (`real_ip_header`)."""
ASKED = frozenset(("$uri", "$request_uri", "$request_method"))
"""Variables that are what clients ask, not who they are."""
