"""HF102: a burst fits the accept queues of the sockets that it arrives on. Knows no file."""

from __future__ import annotations

from holdfast.checks.law import Law, Subject
from holdfast.checks.walls import below
from holdfast.model.finding import Finding, Severity

CODE = "HF102"
RESOURCES = frozenset({"accept queue"})
OTHERWISE = "raise the backlog and net.core.somaxconn, or listen with more sockets"


def check(subject: Subject) -> list[Finding]:
    """Each such wall below the target."""
    return below(subject, CODE, RESOURCES, OTHERWISE)


LAW = Law(
    CODE,
    "a burst does not fit the accept queues",
    Severity.ERROR,
    "New connections wait in the accept queue of their listening socket until a process "
    "takes them. A full TCP queue drops the SYN, and the client tries again after 1 s, 3 "
    "s, 7 s; a full unix queue refuses at once, which an edge answers with 502 or 503.",
    "min(backlog, somaxconn) + 1 on each socket >= the part of the burst that arrives on "
    "the fullest one",
    "listen(2); net/ipv4/tcp_input.c, tcp_conn_request; net/unix/af_unix.c, unix_stream_connect",
    "Raise both the backlog where the program listens and net.core.somaxconn: the smaller "
    "one decides.",
    check,
)
