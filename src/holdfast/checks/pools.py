"""HF107: what a fleet's pools can open at most is what the server behind them takes. No file."""

from __future__ import annotations

from collections.abc import Iterator

from holdfast.checks.law import Law, Subject, finding, number_of
from holdfast.model.finding import Finding, Severity
from holdfast.model.holding import budget
from holdfast.model.path import Hop, Path
from holdfast.model.units import format_count
from holdfast.model.values import Value

CODE = "HF107"
RESERVED = 3
"""PostgreSQL keeps so many for superusers (superuser_reserved_connections, its default)."""


def check(subject: Subject) -> Iterator[Finding]:
    """One for each server whose connections all pools together exceed, on a grown fleet."""
    for hop in subject.path.hops:
        most = hop.get("max_connections")
        if (allowed := number_of(most)) is None:
            continue
        reserved = number_of(hop.get("superuser_reserved_connections"))
        room = allowed - (RESERVED if reserved is None else reserved)
        pools = list(_pools(hop, subject.path))
        total = sum(size for _, size, _ in pools)
        if total > room:
            sums = " + ".join(text for _, _, text in pools)
            values = [value for dialler, _, _ in pools for value in _sizes(dialler)]
            yield finding(
                CODE,
                Severity.ERROR,
                f"`max_connections` is {format_count(allowed)}, and pools may open "
                f"{format_count(total)} connections",
                "put a pooler between, or shrink the pools to "
                f"{format_count(room)} connections together",
                most,
                *values,
                formula=f"{sums} = {total:,.0f} > {allowed:,.0f} - {allowed - room:,.0f} reserved",
            )


def _sizes(hop: Hop) -> list[Value]:
    found = (hop.get(name) for name in ("pool_size", "max_overflow", "default_pool_size"))
    return [value for value in found if value is not None]


def _pools(server: Hop, path: Path) -> Iterator[tuple[Hop, float, str]]:
    """(who dials, connections at most, the sum with its numbers) of each pool to the server."""
    for hop in path.hops:
        if any(link.to == server.name for link in hop.links) and (sizes := _sizes(hop)):
            each = sum(value.number for value in sizes)
            count = path.host(hop.host).count
            total = budget(count, hop.processes, each)
            hosts = count.high + count.surge
            yield hop, total, f"{hosts} hosts x {hop.processes} processes x {each:g}"


LAW = Law(
    CODE,
    "pools may open more connections than the server behind them takes",
    Severity.ERROR,
    "Every process of every host has a pool of its own. A fleet that has grown, or is being "
    "replaced, opens all of them at once, and a database refuses what is above its limit.",
    "sum over processes and hosts (high + surge) of pool_size + max_overflow <= max_connections - "
    "reserved",
    "postgresql.org, runtime-config-connection; SQLAlchemy, QueuePool",
    "Put a pooler between, or shrink the pools. A pool bounds a rate: past it time grows.",
    check,
)
