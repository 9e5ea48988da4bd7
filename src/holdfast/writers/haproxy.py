"""A sized edge as HAProxy's whole configuration: {file name: text}. Deterministic; no I/O.

One file a process, alike but for the sockets: each process counts `maxconn` for itself.
"""

from __future__ import annotations

from holdfast.model.path import Hop
from holdfast.model.values import Value
from holdfast.writers import (
    haproxy_admission,
    haproxy_checks,
    haproxy_clients,
    haproxy_hosts,
    haproxy_tls,
    haproxy_upgrades,
)
from holdfast.writers import haproxy_content as content
from holdfast.writers.site import Balance, Site, alive, explained, idle_s, plain, value_of

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
CHUNKED = 8_192
"""The longest chunked body: half of HAProxy's buffer (`tune.bufsize`, 16,384), whose other half has
the head, 1,024 bytes for rewriting (`tune.maxrewrite`) and 8 a header (at most 101)."""
_HEAD_HALF = 3_072
"""Bytes of the target, and of the headers, before a chunked body."""
_HOST = "'^[][A-Za-z0-9._~%:-]+$'"
"""The characters that hosts and ports are made of (RFC 3986, 3.2.2), but for its sub-delims."""
_CONTROLS = r"'[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]'"
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
    backlog, most = value_of(hop, "backlog"), value_of(hop, "frontend_maxconn")
    lines = [
        f"# HAProxy for holdfast: process {process} of {hop.processes}, {site.behind}.",
        f"# Start it as: haproxy -db -f {site.folder}/{file(process)}",
        "global",
        *_set(hop, "maxconn"),
        *_set(hop, "ulimit_n"),
        *_set(hop, "nbthread"),
        *(line for name in _POOL for line in _set(hop, name)),
        *_set(hop, "hard_stop_after_s"),
        *haproxy_tls.of_process(hop, site),
        *content.main(site.front),
        f"    stats socket unix@{site.folder}/{admin(process)} mode 600 level admin",
        "",
        *content.sections(hop, site.front),
        "defaults",
        "    mode http",
        "    option dontlognull",
        "    # a_b and a-b are one name to many apps: letters, digits and `-` are let through",
        "    option http-restrict-req-hdr-names delete",
        "    # who leaves is missed while the answer is waited for, and the place is free at once",
        "    option abortonclose",
        *(line for name in _TIMEOUTS for line in _set(hop, name)),
        *haproxy_upgrades.timeouts(hop, site),
        *haproxy_admission.answers(hop),
        "",
        "frontend in",
        *explained(backlog.why, f"bind {where} backlog {plain(backlog)}{haproxy_tls.bind(site)}"),
        *explained(most.why, f"maxconn {plain(most)}"),
        *_vanished(hop),
        "    # the port speaks HTTP/1.1: one that begins with HTTP/2 is answered 400",
        "    option disable-h2-upgrade",
        *haproxy_tls.unsized(hop, site),
        *_refused(hop, haproxy_tls.versions(site)),
        *haproxy_upgrades.rules(site),
        *_buffered(hop),
        *haproxy_admission.rules(hop, site, BACKEND),
        *haproxy_clients.believing(site.front.clients),
        *haproxy_clients.telling(),
        *haproxy_tls.told(site),
        *content.frontend(hop, site.front),
        *haproxy_clients.scheme(site.front.clients),
        *haproxy_admission.uses(hop, site),
        f"    default_backend {BACKEND}",
        "",
        *haproxy_tls.redirect(hop, site, process, _HOST),
        *_backend(hop, site),
        *haproxy_admission.backend(hop, site, _BALANCE[site.balance]),
    ]
    return "\n".join(lines) + "\n"


def _set(hop: Hop, setting: str) -> list[str]:
    value = value_of(hop, setting)
    words = setting.removesuffix("_s").replace("_", "-")
    for section, end in (("timeout", " "), ("tune", ".")):
        words = words.replace(f"{section}-", f"{section}{end}", 1)
    said = plain(value)
    if setting.endswith("_s"):  # it knows no fractions
        said = f"{said}s" if value.number.is_integer() else f"{value.number * 1_000:.0f}ms"
    return explained(value.why, f"{words} {said}")


def _refused(hop: Hop, versions: str) -> list[str]:
    """What HAProxy lets through and must not: each a rule, below its reason."""
    most = value_of(hop, "max_body")
    deny = "http-request deny deny_status"
    rules = (
        ("of HTTP/1 there are two versions", f"{deny} 400 if !{{ req.ver {versions} }}"),
        (
            "RFC 9112, 3.2: an HTTP/1.1 request names one host; and no request one that is none",
            f"{deny} 400 if {{ req.ver 1.1 }} !{{ req.hdr_cnt(host) eq 1 }}",
        ),
        ("", f"{deny} 400 if {{ req.fhdr(host) -m found }} !host"),
        (
            "characters that no header may have: whoever reads on might end it there",
            f"{deny} 400 if {{ req.hdrs -m reg {_CONTROLS} }}",
        ),
        (
            "`chunked` alone: a list that is read in two ways ends a body in two places",
            "http-request return status 501 hdr Connection close if encoded !chunked",
        ),
        (most.why, f"{deny} 413 if {{ req.body_size gt {plain(most)} }}"),
    )
    return [
        f"    acl host req.fhdr(host) -m reg {_HOST}",
        "    acl encoded req.fhdr(transfer-encoding) -m found",
        "    acl chunked req.fhdr(transfer-encoding) -i chunked",
        *(line for why, rule in rules for line in explained(why, rule)),
    ]


def _buffered(hop: Hop) -> list[str]:
    """Have the body, as far as a buffer goes, before a worker is asked; a chunked one whole."""
    wait, buffering = value_of(hop, "timeout_http_request_s"), value_of(hop, "request_buffering")
    condition = "" if buffering.value else " if chunked"
    rules = (
        (
            "only a chunked body that is here whole has a size: HAProxy counts no further than its "
            "buffer, half of which the head leaves free",
            f"http-request deny deny_status 400 if chunked {{ url,length gt {_HEAD_HALF} }}",
        ),
        ("", f"http-request deny deny_status 400 if chunked {{ req.hdrs,length gt {_HEAD_HALF} }}"),
        (
            f"{buffering.why}, as far as a buffer goes; chunked ones always",
            f"http-request wait-for-body time {plain(wait)}s{condition}",
        ),
        *_counted(value_of(hop, "max_body")),
        (
            "a longer one is asked to say its length, which has a rule above",
            f"http-request return status 411 if chunked {{ req.body_len ge {CHUNKED} }}",
        ),
        (
            "so a worker is told the length, and no chunk, extension or trailer reaches it",
            "http-request set-header Content-Length %[req.body_len] if chunked",
        ),
        ("", "http-request del-header Transfer-Encoding if chunked"),
    )
    return [line for why, rule in rules for line in explained(why, rule)]


def _counted(most: Value) -> list[tuple[str, str]]:
    """The rule for a limit that is passed by what had not come when the one above was asked."""
    if most.number >= CHUNKED:
        return []
    rule = f"http-request deny deny_status 413 if chunked {{ req.body_len gt {plain(most)} }}"
    return [("the limit again, now that all of it is here", rule)]


def _vanished(hop: Hop) -> list[str]:
    """How soon a client that is gone without a word leaves its place."""
    idle, every, probes = alive(hop)
    return [
        *explained(idle.why, "option clitcpka"),
        f"    clitcpka-idle {plain(idle)}s",
        f"    clitcpka-intvl {plain(every)}s",
        f"    clitcpka-cnt {plain(probes)}",
    ]


def _backend(hop: Hop, site: Site) -> list[str]:
    cap, kept, idle = value_of(hop, "server_maxconn"), value_of(hop, POOLED), idle_s(hop)
    each = f"maxconn {plain(cap)} pool-max-conn {plain(kept)} pool-purge-delay {plain(idle)}s"
    why = f"{cap.why}; {kept.why}; {idle.why}{haproxy_checks.why(hop)}"
    if site.front.hosts:
        words, reason = haproxy_hosts.words(hop)
        each, why = each + words, why + reason
    return [
        f"backend {BACKEND}",
        f"    balance {_BALANCE[site.balance]}",
        "    http-reuse always",
        *(haproxy_hosts.lines(hop) if site.front.hosts else ["    option redispatch"]),
        *haproxy_upgrades.patience(hop, site),
        *haproxy_checks.lines(hop, site),
        *explained(why, f"default-server {each}{haproxy_checks.words(hop)}"),
        *(haproxy_hosts.servers(hop, site) if site.front.hosts else _slots(hop, site)),
    ]


def _slots(hop: Hop, site: Site) -> list[str]:
    unasked = " no-check" if haproxy_checks.is_checked(hop) else ""
    return [
        *(f"    server slot-{index} unix@{slot}" for index, slot in enumerate(site.slots)),
        *(
            f"    server slot-{index} unix@{slot} disabled"
            for index, slot in enumerate(site.further, len(site.slots))
        ),
        *(f"    server spare-{index} unix@{slot} backup" for index, slot in enumerate(site.spare)),
        "    # asked in the instant in which all others are told to let go idle connections",
        f"    server last unix@{site.slots[0]} backup{unasked}",
    ]
