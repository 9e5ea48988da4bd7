"""HAProxy's keywords: a row each, with where it may stand and where it lands. Reads nothing.

Sections and arguments are those of its configuration manual, 2.6 to 3.x.
"""

from __future__ import annotations

from holdfast.readers.amounts import count, haproxy_seconds, seconds_or_unit, size
from holdfast.readers.contract import Amount, Row

GLOBAL, DEFAULTS, FRONTEND, BACKEND, LISTEN = "global", "defaults", "frontend", "backend", "listen"
PROXIES = frozenset((FRONTEND, BACKEND, LISTEN))
OTHERS = frozenset(
    (
        *("peers", "resolvers", "userlist", "mailers", "program", "cache", "http-errors", "ring"),
        *("log-forward", "log-profile", "fcgi-app", "traces", "crt-store", "acme"),
    )
)
"""Sections of which nothing is made."""
SECTIONS = PROXIES | {GLOBAL, DEFAULTS} | OTHERS
IN_FRONT = frozenset((DEFAULTS, FRONTEND, LISTEN))
BEHIND = frozenset((DEFAULTS, LISTEN, BACKEND))


def _global(name: str, lands: str, amount: Amount = count) -> Row:
    return Row(name, frozenset((GLOBAL,)), lands, amount)


def _timeout(name: str, contexts: frozenset[str]) -> Row:
    setting = f"timeout_{name.replace('-', '_')}_s"
    return Row(f"timeout {name}", contexts, setting, haproxy_seconds)


ROWS = (
    _global("maxconn", "maxconn"),
    _global("nbproc", "nbproc"),
    _global("nbthread", "nbthread"),
    _global("ulimit-n", "ulimit_n"),
    _global("fd-hard-limit", "fd_hard_limit"),
    _global("hard-stop-after", "hard_stop_after_s", haproxy_seconds),
    _global("tune.bufsize", "tune_bufsize", size),
    _global("tune.h2.max-concurrent-streams", "tune_h2_max_concurrent_streams"),
    _global("tune.pool-low-fd-ratio", "tune_pool_low_fd_ratio"),
    _global("tune.pool-high-fd-ratio", "tune_pool_high_fd_ratio"),
    _global("tune.h2.fe.max-concurrent-streams", "tune_h2_fe_max_concurrent_streams"),
    _global("tune.h2.fe.max-total-streams", "tune_h2_fe_max_total_streams"),
    _global("tune.maxrewrite", "tune_maxrewrite", size),
    _global("tune.ssl.cachesize", "tune_ssl_cachesize"),
    _global("tune.ssl.lifetime", "tune_ssl_lifetime_s", seconds_or_unit),
    _global("tune.http.maxhdr", "tune_http_maxhdr"),
    Row("clitcpka-idle", IN_FRONT, "keepalive_idle_s", seconds_or_unit),
    Row("clitcpka-intvl", IN_FRONT, "keepalive_every_s", seconds_or_unit),
    Row("clitcpka-cnt", IN_FRONT, "keepalive_probes", count),
    Row("srvtcpka-idle", BEHIND, "server_keepalive_idle_s", seconds_or_unit),
    Row("srvtcpka-intvl", BEHIND, "server_keepalive_every_s", seconds_or_unit),
    Row("srvtcpka-cnt", BEHIND, "server_keepalive_probes", count),
    Row("maxconn", IN_FRONT, "frontend_maxconn", count),
    Row("backlog", IN_FRONT, "backlog", count),
    Row("fullconn", BEHIND, "fullconn", count),
    Row("retries", BEHIND, "retries", count),
    _timeout("client", IN_FRONT),
    _timeout("client-fin", IN_FRONT),
    *(_timeout(name, BEHIND) for name in ("connect", "queue", "server", "server-fin", "check")),
    *(_timeout(n, IN_FRONT | BEHIND) for n in ("http-request", "http-keep-alive", "tunnel")),
)
TWO_WORDS = frozenset(("timeout", "stats", "option"))
"""Keywords whose second word belongs to the name."""
RULES = frozenset(("max_body", "request_buffering", "queue_room"))
"""What rules of `http-request` say of bodies, and of who may wait."""
SET_TIMEOUTS = {"client": IN_FRONT, "server": BEHIND, "tunnel": BEHIND}
"""The timeouts that a rule of `http-request` may set, and where it has an effect."""
ALIVE = frozenset(("keepalive_idle_s", "keepalive_every_s", "keepalive_probes"))
"""What has no effect without `option clitcpka`."""
OPTIONS = frozenset(
    (
        *("http-server-close", "httpclose", "http-keep-alive", "redispatch", "abortonclose"),
        *("clitcpka", "srvtcpka", "http-buffer-request", "http-use-htx", "prefer-last-server"),
    )
)
"""Options that say how connections are used: on, or off with `no` before them."""
ANSWERS = frozenset(("http-request", "tcp-request", "redirect", "stats", "monitor-uri"))
"""Keywords with which a frontend may answer without a backend."""
OF_A_SERVER = {
    "maxconn": ("server_maxconn", count),
    "maxqueue": ("maxqueue", count),
    "minconn": ("minconn", count),
    "pool-max-conn": ("server_pool_max_conn", count),
    "pool-purge-delay": ("pool_purge_delay_s", haproxy_seconds),
    "inter": ("check_inter_s", haproxy_seconds),
    "fall": ("check_fall", count),
    "rise": ("check_rise", count),
    "tcp-ut": ("server_tcp_ut_s", haproxy_seconds),
}
"""What a `server` line says in two words, and where that lands."""
WITH_A_WORD = frozenset(
    (
        *(
            "cookie",
            "weight",
            "fastinter",
            "downinter",
            "port",
            "addr",
            "source",
        ),
        *("sni", "verify", "verifyhost", "ca-file", "crt", "crl-file", "ciphers", "ciphersuites"),
        *("observe", "on-error", "on-marked-down", "on-marked-up", "error-limit", "init-addr"),
        *("resolvers", "resolve-prefer", "resolve-opts", "resolve-net", "proto", "check-proto"),
        *("check-sni", "alpn", "npn", "check-alpn", "max-reuse", "log-proto", "namespace", "id"),
        *("track", "agent-addr", "agent-inter", "agent-port", "agent-send", "slowstart", "redir"),
        *("pool-low-conn", "socks4", "ssl-min-ver", "ssl-max-ver", "set-proxy-v2-tlv"),
        *("proxy-v2-options", "shard", "ws", "usesrc", "interface", "nice", "mode", "level"),
        *("user", "group", "uid", "gid", "name", "thread", "process", "shards", "maxconn"),
        *("backlog", "crt-list", "crt-ignore-err", "ca-ignore-err", "ca-verify-file"),
        "tls-ticket-keys",
        *("curves", "ecdhe", "mss", "severity-output", "expose-fd", "quic-cc-algo"),
    )
)
"""Further parameters of `server` and `bind` that a word follows, which is no parameter then."""
