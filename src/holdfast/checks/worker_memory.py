"""HF405: the workers of a server fit the memory of their host. Knows no file."""

from __future__ import annotations

from collections.abc import Iterator

from holdfast.checks.law import Law, Subject, finding, number_of
from holdfast.model.finding import Finding, Severity
from holdfast.model.units import format_bytes, plural

CODE = "HF405"


def check(subject: Subject) -> Iterator[Finding]:
    """One for each server whose idle workers take more; with a target HF105 says so."""
    for hop in subject.path.hops if subject.target is None else ():
        base, there = hop.get("base_bytes"), subject.path.host(hop.host).get("memory_available")
        one, most = number_of(base), number_of(there)
        if hop.get("workers") is None or not one or not most or hop.processes * one <= most:
            continue
        taken = f"{hop.processes:,} x {format_bytes(one)} = {format_bytes(hop.processes * one)}"
        yield finding(
            CODE,
            Severity.WARNING,
            f"{plural(hop.processes, 'worker')} of `{hop.name}` take {taken} with nothing to do, "
            f"of {format_bytes(most)}",
            f"set `workers` to {max(1, int(most // one)):,} or fewer, or add memory",
            hop.get("workers"),
            formula=f"{taken} <= {format_bytes(most)} is not so",
        )


LAW = Law(
    CODE,
    "workers take more memory than there is",
    Severity.WARNING,
    "Each worker process has an interpreter and the app in it before the first request. Past the "
    "memory of the host the kernel kills one, with all that it holds.",
    "workers x what an idle one takes <= memory",
    "profiles measured by holdfast prove; an app that nobody measured is taken for a FastAPI app",
    "Start fewer workers that hold more each, or add memory. Or measure the app (holdfast prove "
    "--profile-out): what was assumed is more than most take.",
    check,
)
