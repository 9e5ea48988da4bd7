"""HF109: processes and threads fit the limits of the host and of the unit. Knows no file."""

from __future__ import annotations

import math
from collections.abc import Iterator

from holdfast.checks.law import Law, Subject, finding, number_of
from holdfast.checks.remedy import change_of
from holdfast.checks.walls import said
from holdfast.model.finding import Finding, Severity
from holdfast.model.path import Hop
from holdfast.model.values import derived

CODE = "HF109"
HOST_LIMITS = ("pids_max", "pid_max", "threads_max")


def check(subject: Subject) -> Iterator[Finding]:
    """One for each limit of processes below what the hops that it counts start."""
    for hop in subject.path.hops:
        most = number_of(hop.get("pids_max"))
        if most is not None and (needed := _started(hop)) > most:
            yield _short(subject, hop.name, "pids_max", most, needed, f"`{hop.name}` starts")
    for host in subject.path.hosts:
        here = [hop for hop in subject.path.hops if hop.host == host.name]
        needed = sum(_started(hop) for hop in here if hop.program not in {"kernel", "service"})
        for setting in HOST_LIMITS:
            most = number_of(host.get(setting))
            if most is not None and needed > most:
                yield _short(subject, host.name, setting, most, needed, "all programs start")


def _started(hop: Hop) -> int:
    """Processes with their threads, and a master where there are several."""
    threads = max(number_of(hop.get(name)) or 1 for name in ("threads", "nbthread"))
    return int(hop.processes * threads) + (hop.processes > 1)


def _short(subject: Subject, of: str, setting: str, most: float, needed: int, who: str) -> Finding:
    owner = next((hop for hop in subject.path.hops if hop.name == of), None)
    value = (owner or subject.path.host(of)).get(setting)
    why = f"{needed:,} processes and threads"
    changes = (change_of(subject.path, of, derived(setting, needed, why)),)
    told = "no limit" if math.isinf(most) else f"{most:,.0f}"
    return finding(
        CODE,
        Severity.ERROR,
        f"`{setting}` is {told}, and {who} {needed:,} processes and threads",
        f"set {said(changes)}",
        value,
        formula=f"processes x threads + masters = {needed:,} > {told}",
        changes=changes,
    )


LAW = Law(
    CODE,
    "processes and threads do not fit their limit",
    Severity.ERROR,
    "A thread counts as a process does: for the pids of a control group (systemd's TasksMax=, a "
    "container's limit) and for kernel.pid_max and kernel.threads-max. Past it fork fails.",
    "sum of processes x threads + masters <= pids.max, pid_max, threads-max",
    "kernel Documentation/admin-guide/cgroup-v2.rst, pids; systemd.resource-control(5), TasksMax=",
    "Raise the limit, or start fewer.",
    check,
)
