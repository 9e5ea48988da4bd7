"""HF402: workers fit the cores: neither so many that they wait, nor so few that cores do."""

from __future__ import annotations

import math
from collections.abc import Iterator

from holdfast.checks.law import Law, Subject, finding, number_of, stated
from holdfast.model.finding import Finding, Severity
from holdfast.model.path import Hop
from holdfast.model.units import plural
from holdfast.model.values import Source
from holdfast.programs import gunicorn

CODE = "HF402"
HOSTS = "hosts"
"""A hop's value: over how many hosts its processes are spread, if over several."""
LOOPS = frozenset({"uvicorn", "hypercorn", "granian"})
ASYNC = frozenset({"gevent", "eventlet", "tornado", "uvicorn", "asgi"})
"""gunicorn's workers that hold many requests in one process."""


def check(subject: Subject) -> Iterator[Finding]:
    """One for each server of event loops whose written number of workers is far from the cores."""
    for hop in subject.path.hops:
        written, guessed = stated(hop, "workers"), subject.path.host(hop.host).get("cores")
        if guessed is not None and guessed.source is Source.ASSUMED:
            continue  # of a machine that nobody described there is nothing to say
        cores = subject.path.host(hop.host).cores * (number_of(hop.get(HOSTS)) or 1)
        if written is None or not _has_loop(hop) or not cores:
            continue
        most, count = 2 * math.ceil(cores) + 1, hop.processes
        if count > most:
            told = f"more than {most}: the others only take memory"
        elif count < math.floor(cores):
            told = f"so {plural(math.floor(cores) - count, 'core')} serve nothing"
        else:
            continue
        yield finding(
            CODE,
            Severity.NOTE,
            f"{plural(count, 'worker')} of `{hop.name}` on {cores:g} cores, {told}",
            f"set `workers` to between {math.floor(cores)} and {most}",
            written,
            formula=f"{math.floor(cores)} <= {count} <= 2 x {math.ceil(cores)} + 1 is not so",
        )


def _has_loop(hop: Hop) -> bool:
    if hop.program == "gunicorn":
        return gunicorn.worker_class(hop) in ASYNC
    return hop.program in LOOPS


LAW = Law(
    CODE,
    "workers far from the number of cores",
    Severity.NOTE,
    "A process with an event loop holds thousands of requests and uses one core at most. More "
    "processes than twice the cores take memory, and time of each other; fewer leave cores idle.",
    "cores <= workers <= 2 x cores + 1",
    "docs.gunicorn.org, How many workers?",
    "Choose a number between; more connections belong into each worker's own limits.",
    check,
)
