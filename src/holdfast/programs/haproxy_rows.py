"""HAProxy's settings: a row each, with its default by version. Nothing here limits anything.

Defaults of 2.6 were run (2.6.12, `tests/law3`); those up to 3.x are from its source and manual.
"""

from __future__ import annotations

from holdfast.model.values import SOMETIMES
from holdfast.programs import tls_rows
from holdfast.programs.rows import Change, Setting, alive

RUN = "2.6.12"
"""The version whose limits were run for real; what differs since is read, and marked so."""

MAXCONN = Setting(
    "maxconn",
    "connections",
    None,
    "1.1",
    "haproxy",
    "Client connections of one process; unset, half of what descriptors leave.",
)
FRONTEND_MAXCONN = Setting(
    "frontend_maxconn",
    "connections",
    None,
    "1.1",
    "haproxy",
    "Client connections of one frontend; unset, the process's `maxconn`.",
)
SERVER_MAXCONN = Setting(
    "server_maxconn",
    "requests",
    None,
    "1.1",
    "haproxy",
    "Requests at once to one server, counted by each process for itself; the rest queues.",
)
TIMEOUT_QUEUE_S = Setting(
    "timeout_queue_s",
    "seconds",
    None,
    "1.3",
    "haproxy",
    "How long a request waits for a server; past it 503. Unset, it is `timeout connect`.",
)
TIMEOUT_CONNECT_S = Setting(
    "timeout_connect_s",
    "seconds",
    None,
    "1.1",
    "haproxy",
    "For one try to connect to a server. Unset, it is unlimited.",
)
RETRIES = Setting(
    "retries", "tries", 3, "1.1", "haproxy", "How often a failed connect is tried again; then 503."
)
NBTHREAD = Setting(
    "nbthread",
    "threads",
    None,
    "2.5",
    "haproxy",
    "Threads of a process, each with three descriptors. Unset, one for each processor.",
)
ULIMIT_N = Setting(
    "ulimit_n",
    "descriptors",
    None,
    "1.1",
    "",
    "Below its need HAProxy does not start; under `no strict-limits` it takes the hard limit.",
)
FD_HARD_LIMIT = Setting(
    "fd_hard_limit",
    "descriptors",
    None,
    "2.5",
    "haproxy",
    "Caps the hard limit that an unset `maxconn` is made from.",
    (Change("3.1", 1_048_576, "defaults.h, DEFAULT_MAXFD"),),
)
LISTENERS = Setting(
    "listeners", "sockets", 1, "", "haproxy", "Listening sockets of its frontends (`bind`)."
)
STATS_SOCKETS = Setting(
    "stats_sockets", "sockets", 0, "", "haproxy", "Sockets of its command line (`stats socket`)."
)
CHECKS = Setting("checks", "servers", 0, "", "haproxy", "Servers that are checked (`check`).")
BACKLOG = Setting(
    "backlog",
    "connections",
    None,
    "1.3",
    "kernel, cut to somaxconn",
    "Clients that wait in a listener's accept queue; unset, the frontend's `maxconn`.",
)
STREAMS = Setting(
    "tune_h2_max_concurrent_streams",
    "requests",
    100,
    "1.8",
    "haproxy; clients keep to it",
    "Requests at once on one HTTP/2 connection; what is more waits at the client.",
)
FRONT_STREAMS = Setting(
    "tune_h2_fe_max_concurrent_streams",
    "requests",
    None,
    "2.8",
    "haproxy; clients keep to it",
    "The same for clients alone; unset, it is `tune_h2_max_concurrent_streams`.",
)
TOTAL_STREAMS = Setting(
    "tune_h2_fe_max_total_streams",
    "requests",
    0,
    "3.0",
    "haproxy",
    "Requests of one HTTP/2 client before its connection is to end; 0 is no limit.",
)
BUFSIZE = Setting(
    "tune_bufsize",
    "bytes",
    16_384,
    "1.4",
    "haproxy",
    "A request's buffer each way, held while there is something in it.",
)
MAXREWRITE = Setting(
    "tune_maxrewrite",
    "bytes",
    1_024,
    "1.4",
    "haproxy",
    "Kept free in a buffer; a head larger than the rest of it is answered 400.",
)
MAX_HEADERS = Setting(
    "tune_http_maxhdr",
    "header lines",
    101,
    "1.4",
    "haproxy",
    "Lines of one request's head; more are answered 400, an answer with more is a 502.",
)
MAXQUEUE = Setting(
    "maxqueue",
    "requests",
    0,
    "1.3",
    "haproxy",
    "Waiting at one server; what is more waits at the backend, so it bounds no total.",
)
POOL_LOW = Setting(
    "tune_pool_low_fd_ratio",
    "per cent",
    20,
    "2.0",
    "haproxy",
    "Above this part of its descriptors no idle server connection is kept.",
)
POOL_HIGH = Setting(
    "tune_pool_high_fd_ratio",
    "per cent",
    25,
    "2.0",
    "haproxy",
    "Above this part of its descriptors idle server connections are closed for new ones.",
)

SERVER_POOL_MAX = Setting(
    "server_pool_max_conn",
    "connections",
    -1,
    "2.0",
    "haproxy",
    "Idle connections that one process keeps to one server; -1 is as many as were in use.",
)

MAX_BODY = Setting(
    "max_body",
    "bytes",
    None,
    "2.4",
    "haproxy",
    "The largest body (`http-request deny`); past it 413. Unset, it is unlimited.",
)
QUEUE_ROOM = Setting(
    "queue_room",
    "requests",
    None,
    "1.5",
    "haproxy",
    "Waiting for a server in one process; past it 503 (`http-request deny ... queue(...) ge`).",
)
REQUEST_BUFFERING = Setting(
    "request_buffering",
    "yes or no",
    False,
    "2.4",
    "haproxy",
    "Has the body before it dials a server, as far as a buffer goes (`wait-for-body`).",
)


def _timeout(name: str, doc: str, since: str = "1.1") -> Setting:
    return Setting(name, "seconds", None, since, "haproxy", f"{doc} Unset, it is unlimited.")


TIMEOUTS = (
    TIMEOUT_CONNECT_S,
    TIMEOUT_QUEUE_S,
    _timeout("timeout_client_s", "How long a client may be silent; past it 408 or closed."),
    _timeout("timeout_server_s", "How long a server may be silent; past it 504."),
    _timeout("timeout_http_request_s", "For a request's head; past it 408.", "1.3"),
    _timeout("timeout_tunnel_s", "How long an upgraded connection may be silent.", "1.5"),
    _timeout("timeout_http_keep_alive_s", "How long an idle client stays connected.", "1.4"),
)
RULED = tuple(
    Setting(
        f"{SOMETIMES}timeout_{of}_s",
        "seconds",
        None,
        since,
        "haproxy",
        f"Instead of `timeout {of}` for some requests (`http-request set-timeout {of} ... if`).",
    )
    for of, since in (("client", "2.9"), ("server", "2.4"), ("tunnel", "2.4"))
)
CHECKING = (
    Setting("check_inter_s", "seconds", 2.0, "1.1", "haproxy", "Time between two checks."),
    Setting("check_fall", "checks", 3, "1.1", "haproxy", "Bad ones after which a server is down."),
    Setting("check_rise", "checks", 2, "1.1", "haproxy", "Good ones after which it is up again."),
    _timeout("timeout_check_s", "For a check's answer once it is connected.", "1.3"),
    _timeout("server_tcp_ut_s", "How long TCP waits for a server to acknowledge.", "2.0"),
)
ROWS = (
    *(MAXCONN, FRONTEND_MAXCONN, SERVER_MAXCONN, RETRIES, NBTHREAD, ULIMIT_N, FD_HARD_LIMIT),
    *(LISTENERS, STATS_SOCKETS, CHECKS, BACKLOG, STREAMS, FRONT_STREAMS, TOTAL_STREAMS, BUFSIZE),
    *(MAXREWRITE, MAX_HEADERS, MAXQUEUE, POOL_LOW, POOL_HIGH),
    *(SERVER_POOL_MAX, MAX_BODY, QUEUE_ROOM, REQUEST_BUFFERING),
    *TIMEOUTS,
    *RULED,
    *tls_rows.HAPROXY,
    *CHECKING,
    *alive("clitcpka", "2.3"),
    *alive("srvtcpka", "2.4", "server"),
)
