"""HF501: what runs has what its files ask for. Knows no process."""

from __future__ import annotations

from collections.abc import Iterator

from holdfast.checks import spelling
from holdfast.checks.law import Law, Subject, finding, number_of
from holdfast.model.finding import Finding, Severity
from holdfast.model.path import Hop, Host
from holdfast.model.units import format_count
from holdfast.model.values import Source, Value

CODE = "HF501"
CHANGED = "changed_since_s"
"""A hop's value: how much younger its file is than the program that has read it, in seconds."""
ENDS = {
    "backlog": "raise what cut it, which is net.core.somaxconn most often, and restart the program",
    "nofile": "restart it where the limit is set, and not from a shell that has another one",
    "workers": "look into its log for why some have died, or reload it",
    "worker_processes": "look into its log for why some have died, or reload it",
}
"""What makes it so, for those that have a cause of their own."""
OTHERWISE = "reload the program, so that it reads its files again"


def check(subject: Subject) -> Iterator[Finding]:
    """One for each observed value of a hop or a host that is not what was asked for."""
    owners: tuple[Hop | Host, ...] = (*subject.path.hosts, *subject.path.hops)
    for owner in owners:
        for value in {value.setting: value for value in owner.values}.values():
            asked = value.configured
            if value.source is Source.OBSERVED and asked is not None:
                yield _difference(owner, value, asked)


def _difference(owner: Hop | Host, value: Value, asked: Value) -> Finding:
    program = owner.program if isinstance(owner, Hop) else ""
    name = spelling.name(program, value.setting)
    less = (number_of(value) or 0.0) < (number_of(asked) or 0.0)
    told = asked.place is not None
    who = f"`{asked.place.file}`" if asked.place is not None else asked.why
    is_host = isinstance(owner, Host)
    hint = "load the file, as `sysctl --system` does" if is_host else ENDS.get(value.setting)
    return finding(
        CODE,
        Severity.WARNING if less and told else Severity.NOTE,
        f"`{name}` of `{owner.name}` is {_count(value)}, and {who} asks for {_count(asked)}",
        hint or OTHERWISE,
        asked,
        formula=f"{value.why}: {_count(value)} = {_count(asked)} is not so",
    )


def _count(value: Value) -> str:
    return str(value.value) if isinstance(value.value, str) else format_count(value.number)


LAW = Law(
    CODE,
    "what runs is not what the files ask for",
    Severity.WARNING,
    "A limit is made when a program starts: by who starts it, by the kernel, which cuts it without "
    "a word, and by the file as it was then. What runs counts, whatever the files say now.",
    "the value of the process, its socket or the kernel = the value that is written",
    "proc(5), limits; listen(2); sock_diag(7)",
    "Restart or reload the program so that it takes what is written, or write what is meant.",
    check,
)
