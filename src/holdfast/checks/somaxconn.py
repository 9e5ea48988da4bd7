"""HF309: a somaxconn that the kernel takes as it is written. Knows no file."""

from __future__ import annotations

from collections.abc import Iterator

from holdfast.checks.law import Law, Subject, finding, number_of
from holdfast.checks.remedy import change_of
from holdfast.model.finding import Finding, Severity
from holdfast.model.values import derived
from holdfast.programs.rows import parts

CODE = "HF309"
MOST, SINCE = 65_535, "3.11"


def check(subject: Subject) -> Iterator[Finding]:
    """One for each host of an older kernel whose somaxconn does not fit 16 bits."""
    for host in subject.path.hosts:
        value, release = host.get("somaxconn"), host.get("kernel_release")
        number = number_of(value)
        if number is None or number <= MOST or release is None:
            continue
        if parts(str(release.value)) < parts(SINCE):
            change = change_of(subject.path, host.name, derived("somaxconn", MOST, "16 bits"))
            yield finding(
                CODE,
                Severity.ERROR,
                f"`net.core.somaxconn` is {number:,.0f}, and Linux before {SINCE} keeps 16 bits",
                f"set `{change.line}`",
                value,
                formula=f"{number:,.0f} modulo 65,536 = {number % 65_536:,.0f}",
                changes=(change,),
            )


LAW = Law(
    CODE,
    "a somaxconn of more than 16 bits",
    Severity.ERROR,
    "Linux before 3.11 kept a socket's backlog in 16 bits, so that 65536 became 0.",
    "net.core.somaxconn <= 65535 before Linux 3.11",
    "commit 5f671d6b4ec3 (net: check net.core.somaxconn sysctl values)",
    "Write 65535 or less.",
    check,
)
