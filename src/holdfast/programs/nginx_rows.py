"""nginx's settings: a row each, with its default by version. Nothing here limits anything.

Defaults of 1.22 were run (1.22.1, `tests/law3`); later ones, up to 1.30, are from its CHANGES.
"""

from __future__ import annotations

from holdfast.programs import tls_rows
from holdfast.programs.rows import Change, Setting, alive

RUN = "1.22.1"
"""The version whose limits were run for real; what differs since is read, and marked so."""

KEEPALIVE_CHANGE = "CHANGES 1.29.7"

WORKER_CONNECTIONS = Setting(
    "worker_connections",
    "connections",
    512,
    "0.1",
    "nginx",
    "Connections of one worker process: clients, upstreams, listeners and one of its own.",
)
WORKER_RLIMIT_NOFILE = Setting(
    "worker_rlimit_nofile",
    "descriptors",
    None,
    "0.1",
    "kernel (RLIMIT_NOFILE)",
    "Open descriptors of one worker process; unset, it inherits `nofile`.",
)
LISTENERS = Setting(
    "listeners",
    "sockets",
    1,
    "",
    "nginx",
    "Listening sockets (`listen`); each worker process spends one connection on each.",
)
REUSEPORT = Setting(
    "reuseport",
    "yes or no",
    False,
    "1.9.1",
    "kernel (SO_REUSEPORT)",
    "`listen ... reuseport`: a socket for each worker, over which the kernel hashes clients.",
)
LOG_FILES = Setting(
    "log_files",
    "files",
    1,
    "",
    "nginx",
    "Open log files besides the error log: one `access_log`, unless it is off.",
)
BACKLOG = Setting(
    "backlog",
    "connections",
    511,
    "0.7",
    "kernel, cut to somaxconn",
    "`listen ... backlog`: clients that wait in the accept queue of a listening socket.",
)
MULTI_ACCEPT = Setting(
    "multi_accept",
    "yes or no",
    False,
    "0.1",
    "nginx",
    "Takes all waiting clients at once, so that one process can take a whole burst.",
)
STREAMS = Setting(
    "http2_max_concurrent_streams",
    "requests",
    128,
    "1.9.5",
    "nginx; clients keep to it",
    "Requests at once on one HTTP/2 connection; what is more waits at the client.",
)
MAX_CONNS = Setting(
    "max_conns",
    "requests",
    0,
    "1.11.5",
    "nginx",
    "Requests at once to one server of an upstream; 0 is no limit.",
)
ZONE = Setting(
    "zone",
    "yes or no",
    False,
    "1.9.0",
    "nginx",
    "Upstream state in shared memory: without it each worker process counts for itself.",
)
MAX_FAILS = Setting(
    "max_fails",
    "failures",
    1,
    "0.1",
    "nginx, of more servers than one",
    "Failed connects within `fail_timeout` that take a server out for as long; 0 is never.",
)
LIMIT_CONN = Setting(
    "limit_conn",
    "requests",
    None,
    "1.1.8",
    "nginx",
    "Requests at once for a key that all clients share, such as the server's name.",
)
LIMIT_CONN_STATUS = Setting(
    "limit_conn_status",
    "status",
    503,
    "1.3.15",
    "nginx",
    "What a request past `limit_conn` is told.",
)
LIMIT_CONN_PER_ADDRESS = Setting(
    "limit_conn_per_address",
    "requests",
    None,
    "1.1.8",
    "nginx",
    "The same for each address of a client: a `limit_conn` by `$binary_remote_addr`.",
)
LIMIT_REQ_PER_ADDRESS = Setting(
    "limit_req_per_address",
    "requests a second",
    None,
    "0.7.21",
    "nginx",
    "`rate` of a `limit_req` for each address of a client; past it and its `burst` 503.",
)
PROXY_PROTOCOL = Setting(
    "proxy_protocol",
    "yes or no",
    False,
    "1.5.12",
    "nginx",
    "`listen ... proxy_protocol`: a balancer says before each connection whose it is.",
)
REAL_IP_FROM = Setting(
    "set_real_ip_from",
    "addresses",
    None,
    "0.3.8",
    "nginx",
    "Who is believed that a request is another one's. Unset, a client is who has connected.",
)
REAL_IP_HEADER = Setting(
    "real_ip_header",
    "header",
    "X-Real-IP",
    "0.3.8",
    "nginx",
    "Where those who are believed say whose a request is; `proxy_protocol` is no header.",
)
REAL_IP_RECURSIVE = Setting(
    "real_ip_recursive",
    "yes or no",
    False,
    "1.3.0",
    "nginx",
    "Of several addresses the last that is not believed itself, not simply the last.",
)
KEEPALIVE = Setting(
    "keepalive",
    "connections",
    None,
    "1.1.4",
    "nginx",
    "Idle connections to an upstream that one worker process keeps.",
    (Change("1.29.7", 32, KEEPALIVE_CHANGE),),
)
PROXY_HTTP_VERSION = Setting(
    "proxy_http_version",
    "version",
    "1.0",
    "1.1.4",
    "nginx",
    "1.0 closes every upstream connection after its answer.",
    (Change("1.29.7", "1.1", KEEPALIVE_CHANGE),),
)
BODY_BUFFER = Setting(
    "client_body_buffer_size",
    "bytes",
    16_384,
    "0.1",
    "nginx",
    "What of a request's body stays in memory; a larger body goes to a file, whole.",
)
MAX_BODY = Setting(
    "client_max_body_size",
    "bytes",
    1_048_576,
    "0.1",
    "nginx",
    "The largest body of a request; a larger one is answered 413.",
)
HEADER_BUFFER = Setting(
    "client_header_buffer_size",
    "bytes",
    1_024,
    "0.1",
    "nginx",
    "The buffer of a request's head; a larger head takes the large ones.",
)
LARGE_HEADER_BUFFERS = Setting(
    "large_client_header_buffers",
    "bytes",
    4 * 8_192,
    "0.1",
    "nginx",
    "All large buffers of one head, written as `4 8k`; past them 400, a longer line of it 414.",
)
MAX_HEADERS = Setting(
    "max_headers",
    "header lines",
    None,
    "1.29.8",
    "nginx",
    "Header lines of one request; more are answered 400. Before 1.29.8 there was no such limit.",
    (Change("1.29.8", 1_000, "ngx_http_core_module.c of 1.30.0"),),
)
REQUEST_BUFFERING = Setting(
    "proxy_request_buffering",
    "yes or no",
    True,
    "1.7.11",
    "nginx",
    "Reads the whole body before it dials the upstream.",
)
BUFFERING = Setting(
    "proxy_buffering",
    "yes or no",
    True,
    "0.1",
    "nginx",
    "Takes the answer as fast as the upstream gives it.",
)
BUFFER_SIZE = Setting(
    "proxy_buffer_size",
    "bytes",
    4_096,
    "0.1",
    "nginx",
    "The buffer of the first part of an answer: one memory page.",
)
BUFFERS = Setting(
    "proxy_buffers",
    "bytes",
    8 * 4_096,
    "0.1",
    "nginx",
    "All buffers of one answer together; written as `8 4k`.",
)
MAX_TEMP_FILE = Setting(
    "proxy_max_temp_file_size",
    "bytes",
    1_073_741_824,
    "0.1",
    "nginx",
    "How much of one answer goes to a file once its buffers are full; 0 is none.",
)
OPEN_FILES = Setting(
    "open_file_cache",
    "files",
    0,
    "0.7.4",
    "nginx",
    "Files that one worker process keeps open, a descriptor each: `max` of `open_file_cache`.",
)
CONTENT = (
    OPEN_FILES,
    Setting(
        "open_file_cache_valid_s", "seconds", 60, "0.7.4", "nginx", "Until one is looked at again."
    ),
    Setting("gzip_min_length", "bytes", 20, "0.1", "nginx", "Shorter answers are not compressed."),
    Setting(
        "cache_keys_bytes",
        "bytes",
        None,
        "0.7.44",
        "nginx",
        "Memory, once for all worker processes, of the keys of kept answers: 128 bytes a key.",
    ),
    Setting(
        "cache_disk_bytes",
        "bytes",
        None,
        "0.7.44",
        "nginx (cache manager), a moment later",
        "`max_size` of `proxy_cache_path`; unset, as much as there is.",
    ),
    Setting(
        "proxy_cache_lock_timeout_s",
        "seconds",
        5,
        "1.1.12",
        "nginx",
        "How long a request waits for another one's answer; then it asks the upstream, and its "
        "answer is not kept.",
    ),
    Setting(
        "proxy_cache_lock_age_s",
        "seconds",
        5,
        "1.7.8",
        "nginx",
        "How long the one that asks is waited for before one more asks.",
    ),
)
"""Of what nginx serves and keeps by itself."""
KEEPALIVE_REQUESTS = Setting(
    "keepalive_requests",
    "requests",
    1_000,
    "1.19.10",
    "nginx",
    "Requests of one client connection before nginx closes it.",
)


def _timeout(name: str, default: float, doc: str, since: str = "0.1") -> Setting:
    return Setting(name, "seconds", default, since, "nginx", doc)


CONNECT_TIMEOUT_S = _timeout(
    "proxy_connect_timeout_s", 60, "To connect to an upstream; past it 504, or the next server."
)
FAIL_TIMEOUT_S = _timeout("fail_timeout_s", 10, "Of `max_fails`.")
KEEPALIVE_MIN_S = _timeout(
    "keepalive_min_timeout_s", 0, "How long an idle client is not given up.", "1.27.4"
)
UPSTREAM_IDLE = _timeout(
    "upstream_keepalive_timeout_s", 60, "How long an idle upstream stays.", "1.15.3"
)
NEXT_TRIES = Setting(
    "proxy_next_upstream_tries",
    "servers",
    0,
    "1.7.5",
    "nginx",
    "How many servers a request is offered to, the first one counted; 0 is as many as there are.",
)
TIMEOUTS = (
    _timeout("keepalive_timeout_s", 75, "How long an idle client stays connected."),
    KEEPALIVE_MIN_S,
    _timeout("keepalive_time_s", 3_600, "How long a client stays, idle or not.", "1.19.10"),
    _timeout("client_header_timeout_s", 60, "For a request's head; past it 408."),
    _timeout("client_body_timeout_s", 60, "Between two reads of a body; past it 408."),
    _timeout("send_timeout_s", 60, "Between two writes to a client; past it closed."),
    CONNECT_TIMEOUT_S,
    FAIL_TIMEOUT_S,
    _timeout(
        "proxy_next_upstream_timeout_s",
        0,
        "Since the first try; past it no other server is asked. 0: never.",
        "1.7.5",
    ),
    _timeout("proxy_send_timeout_s", 60, "Between two writes to an upstream; past it 504."),
    _timeout("proxy_read_timeout_s", 60, "Between two reads of an answer; past it 504."),
    UPSTREAM_IDLE,
)
ROWS = (
    *(WORKER_CONNECTIONS, WORKER_RLIMIT_NOFILE, LISTENERS, REUSEPORT, LOG_FILES, BACKLOG),
    *(MULTI_ACCEPT, STREAMS, MAX_CONNS, ZONE, MAX_FAILS, LIMIT_CONN, LIMIT_CONN_STATUS),
    *(LIMIT_CONN_PER_ADDRESS, LIMIT_REQ_PER_ADDRESS, PROXY_PROTOCOL),
    *(REAL_IP_FROM, REAL_IP_HEADER, REAL_IP_RECURSIVE, KEEPALIVE),
    *(PROXY_HTTP_VERSION, HEADER_BUFFER, LARGE_HEADER_BUFFERS, MAX_HEADERS),
    *(BODY_BUFFER, MAX_BODY, REQUEST_BUFFERING, BUFFERING, BUFFER_SIZE, BUFFERS, MAX_TEMP_FILE),
    *(KEEPALIVE_REQUESTS, NEXT_TRIES),
    *tls_rows.NGINX,
    *CONTENT,
    *TIMEOUTS,
    *alive("so_keepalive", "1.1.11"),
)
