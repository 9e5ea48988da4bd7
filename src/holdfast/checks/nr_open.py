"""HF404: nobody asks for more descriptors than the kernel gives at all. Knows no file."""

from __future__ import annotations

from collections.abc import Iterator

from holdfast.checks.law import Law, Subject, finding, number_of
from holdfast.checks.remedy import change_of
from holdfast.model.finding import Finding, Severity
from holdfast.model.units import format_count
from holdfast.model.values import derived

CODE = "HF404"
ASKING = ("worker_rlimit_nofile", "ulimit_n", "nofile")


def check(subject: Subject) -> Iterator[Finding]:
    """One for each value above fs.nr_open."""
    for hop in subject.path.hops:
        ceiling = subject.path.host(hop.host).get("nr_open")
        most = number_of(ceiling)
        for setting in ASKING:
            value = hop.get(setting)
            asked = number_of(value)
            if most is None or asked is None or asked <= most or asked == float("inf"):
                continue
            raised = derived("nr_open", int(asked), f"`{setting}` of `{hop.name}`")
            change = change_of(subject.path, hop.host, raised)
            yield finding(
                CODE,
                Severity.WARNING,
                f"`{setting}` of `{hop.name}` is {format_count(asked)}, and the kernel gives no "
                f"more than {format_count(most)}",
                f"set `{change.line}`",
                value,
                ceiling,
                formula=f"{asked:,.0f} <= fs.nr_open {most:,.0f} is not so",
                changes=(change,),
            )


LAW = Law(
    CODE,
    "more descriptors than the kernel gives",
    Severity.WARNING,
    "fs.nr_open is the highest limit that there can be. Who asks for more is refused (EPERM) and "
    "keeps what it had: 1024, as a rule.",
    "worker_rlimit_nofile, ulimit-n, LimitNOFILE <= fs.nr_open",
    "kernel Documentation/admin-guide/sysctl/fs.rst; getrlimit(2)",
    "Raise fs.nr_open first, or ask for less.",
    check,
)
