"""All laws by their codes, and one pass of them over a subject. Adding a law is one line here."""

from __future__ import annotations

from holdfast.checks import (
    alias_slash,
    backlog,
    believed,
    buffers,
    changed,
    connections,
    cut_backlog,
    descriptors,
    effective,
    few_descriptors,
    gone,
    idle_order,
    ignored_keepalive,
    login_limits,
    memory,
    nr_open,
    one_address,
    overridden,
    pids,
    pools,
    port_clash,
    ports,
    processor,
    request_order,
    somaxconn,
    stop_order,
    sysctls,
    tables,
    unenforced,
    upgrade,
    upstream_keepalive,
    worker_class,
    worker_memory,
    workers,
)
from holdfast.checks.law import Law, Subject
from holdfast.model.finding import Finding, Severity

LAWS: dict[str, Law] = {
    law.code: law
    for law in (
        *(descriptors.LAW, backlog.LAW, ports.LAW, connections.LAW, memory.LAW, processor.LAW),
        *(pools.LAW, tables.LAW, pids.LAW),
        *(idle_order.LAW, request_order.LAW, stop_order.LAW),
        *(upstream_keepalive.LAW, ignored_keepalive.LAW, upgrade.LAW),
        *(unenforced.LAW, worker_class.LAW, gone.LAW, cut_backlog.LAW, login_limits.LAW),
        *(sysctls.LAW, overridden.LAW, port_clash.LAW, somaxconn.LAW),
        *(buffers.LAW, workers.LAW, few_descriptors.LAW, nr_open.LAW),
        worker_memory.LAW,
        *(effective.LAW, changed.LAW),
        *(alias_slash.LAW, believed.LAW, one_address.LAW),
    )
}
ORDER = (Severity.ERROR, Severity.WARNING, Severity.NOTE)


def broken(subject: Subject) -> tuple[Finding, ...]:
    """Every finding of every law: the worst first, then by code and place."""
    found = [each for law in LAWS.values() for each in law.check(subject)]
    return tuple(sorted(found, key=_rank))


def _rank(finding: Finding) -> tuple[object, ...]:
    places = [(place.file, place.line, place.start) for place in finding.places]
    return ORDER.index(finding.severity), finding.code, places, finding.message
