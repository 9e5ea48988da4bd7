"""HF108: the tables of the kernel have room for the target. Knows no file."""

from __future__ import annotations

from holdfast.checks.law import Law, Subject
from holdfast.checks.walls import below
from holdfast.model.finding import Finding, Severity

CODE = "HF108"
RESOURCES = frozenset({"open files", "conntrack", "half-open queue"})
OTHERWISE = "raise the sysctl that is named"


def check(subject: Subject) -> list[Finding]:
    """Each such wall below the target."""
    return below(subject, CODE, RESOURCES, OTHERWISE)


LAW = Law(
    CODE,
    "a table of the kernel is full below the target",
    Severity.ERROR,
    "The kernel counts open files, tracked connections and half-open ones for the whole "
    "host. Past fs.file-max nothing opens (ENFILE), past nf_conntrack_max packets are "
    "dropped, past tcp_max_syn_backlog without SYN cookies new clients are.",
    "fs.file-max >= in use + socket ends a request x in flight; nf_conntrack_max >= "
    "entries + connections; 0.75 x tcp_max_syn_backlog >= the burst on one socket",
    "kernel Documentation/admin-guide/sysctl/fs.rst; nf_conntrack-sysctl.rst; "
    "net/ipv4/tcp_input.c, tcp_conn_request",
    "Raise the sysctl, or do not track these connections.",
    check,
)
