"""HF306: a sysctl is one that the kernel has, and that does something. Knows no file."""

from __future__ import annotations

import re
from collections.abc import Iterator
from difflib import get_close_matches

import msgspec

from holdfast.checks.law import Law, Subject, finding, number_of
from holdfast.model.finding import Finding, Severity
from holdfast.model.path import Host
from holdfast.model.values import Source, Value
from holdfast.programs.rows import parts

CODE = "HF306"
TCP = "net.ipv4.tcp_"


class Dead(msgspec.Struct, frozen=True):
    """A sysctl that does nothing since a kernel, what became of it, and who says so."""

    since: str
    why: str
    source: str


DEAD = {
    "net.ipv4.tcp_tw_recycle": Dead("4.12", "it is gone", "commit 4396e46187ca"),
    "net.ipv4.tcp_low_latency": Dead("4.14", "it has no effect any more", "ip-sysctl.rst"),
    "net.ipv4.tcp_fack": Dead("4.15", "it has no effect any more", "ip-sysctl.rst"),
    "net.ipv4.ip_conntrack_max": Dead(
        "4.9", "it is `net.netfilter.nf_conntrack_max` now", "commit adf0516845bc"
    ),
    "net.ipv4.netfilter.ip_conntrack_max": Dead(
        "4.9", "it is `net.netfilter.nf_conntrack_max` now", "commit adf0516845bc"
    ),
}
KNOWN = frozenset(
    re.findall(
        r"\w+",
        """
        abort_on_overflow adv_win_scale allowed_congestion_control app_win autocorking
        available_congestion_control available_ulp backlog_ack_defer base_mss challenge_ack_limit
        child_ehash_entries comp_sack_delay_ns comp_sack_nr comp_sack_slack_ns congestion_control
        cookie_size dma_copybreak dsack early_demux early_retrans ecn ecn_fallback ecn_option
        ecn_option_beacon ehash_entries fack fastopen fastopen_blackhole_timeout_sec fastopen_key
        fin_timeout frto frto_response fwmark_accept invalid_ratelimit keepalive_intvl
        keepalive_probes keepalive_time l3mdev_accept limit_output_bytes low_latency max_orphans
        max_reordering max_ssthresh max_syn_backlog max_tw_buckets mem migrate_req min_rtt_wlen
        min_snd_mss min_tso_segs moderate_rcvbuf mtu_probe_floor mtu_probing no_metrics_save
        no_ssthresh_metrics_save notsent_lowat orphan_retries pacing_ca_ratio pacing_ss_ratio
        pingpong_thresh plb_cong_thresh plb_enabled plb_idle_rehash_rounds plb_rehash_rounds
        plb_suspend_rto_sec probe_interval probe_threshold recovery reflect_tos reordering
        retrans_collapse retries1 retries2 rfc1337 rmem rto_max_ms rto_min_us sack shrink_window
        slow_start_after_idle stdurg syn_linear_timeouts syn_retries synack_retries syncookies
        thin_dupack thin_linear_timeouts timestamps tso_rtt_log tso_win_divisor tw_recycle tw_reuse
        tw_reuse_delay user_cwnd_max window_scaling wmem workaround_signed_windows
        """,
    )
)
"""What follows net.ipv4.tcp_ in Linux 2.6.32 to 6.18."""


def check(subject: Subject) -> Iterator[Finding]:
    """One for each written sysctl that is dead, that no kernel has, or that another one mutes."""
    for host in subject.path.hosts:
        for value in host.values:
            if value.source is not Source.WRITTEN:
                continue
            dead = DEAD.get(value.setting)
            if dead is not None:
                yield from _dead(host, value, dead)
            elif value.setting.startswith(TCP):
                yield from _unknown(value)
        yield from _muted(host)


def _dead(host: Host, value: Value, dead: Dead) -> Iterator[Finding]:
    release = host.get("kernel_release")
    version = parts(str(release.value)) if release is not None else ()
    if version and version < parts(dead.since):
        return
    yield finding(
        CODE,
        Severity.WARNING,
        f"`{value.setting}` does nothing: since Linux {dead.since} {dead.why}",
        "remove the line",
        value,
        formula=f"kernel < {dead.since} ({dead.source})",
    )


def _unknown(value: Value) -> Iterator[Finding]:
    name = value.setting.removeprefix(TCP)
    if name in KNOWN:
        return
    near = get_close_matches(name, KNOWN, n=1)
    yield finding(
        CODE,
        Severity.WARNING,
        f"`{value.setting}` is no sysctl of any kernel from 2.6.32 to 6.18",
        f"did you mean `{TCP}{near[0]}`?" if near else "remove the line",
        value,
        formula="the names below /proc/sys/net/ipv4",
    )


def _muted(host: Host) -> Iterator[Finding]:
    most, cookies = host.get("tcp_max_syn_backlog"), host.get("syncookies")
    if most is None or most.source is not Source.WRITTEN or number_of(cookies) in (None, 0):
        return
    yield finding(
        CODE,
        Severity.NOTE,
        "`net.ipv4.tcp_max_syn_backlog` bounds nothing while SYN cookies are on",
        "leave it, or remove the line",
        most,
        cookies,
        formula="tcp_syncookies = 0 (net/ipv4/tcp_input.c, tcp_conn_request)",
    )


LAW = Law(
    CODE,
    "a sysctl that does nothing",
    Severity.WARNING,
    "Recipes outlive kernels. A sysctl that is gone is an error line at boot that nobody reads, "
    "one that was kept for old files is read and dropped, and tcp_max_syn_backlog counts only "
    "where SYN cookies are off.",
    "the kernel has the name, and uses it",
    "kernel Documentation/networking/ip-sysctl.rst; net/ipv4/tcp_input.c; the commits named",
    "Remove the line, or write the name that took its place.",
    check,
)
