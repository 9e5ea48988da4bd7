"""HF502: what runs has read its files as they are now. Knows no file."""

from __future__ import annotations

from collections.abc import Iterator

from holdfast.checks.effective import CHANGED
from holdfast.checks.law import Law, Subject, finding
from holdfast.model.finding import Finding, Severity

CODE = "HF502"
RELOADS = {
    "nginx": "`nginx -t`, then `nginx -s reload`",
    "haproxy": "`haproxy -c -f FILE`, then reload it",
    "gunicorn": "send HUP to its first process",
}


def check(subject: Subject) -> Iterator[Finding]:
    """One for each file that is younger than the program that reads it."""
    for hop in subject.path.hops:
        for value in hop.values:
            if value.setting != CHANGED or value.place is None:
                continue
            name, late_s = value.place.file, value.number
            yield finding(
                CODE,
                Severity.WARNING,
                f"`{name}` has changed since `{hop.name}` began ({value.why}): what it says may "
                "not be what runs",
                RELOADS.get(hop.program, "restart the program"),
                value,
                formula=f"the file is {late_s:,.0f} s younger than the oldest process that serves",
            )


LAW = Law(
    CODE,
    "a file has changed and was not read again",
    Severity.WARNING,
    "Programs read their files when they start or are told to reload. A change that was not "
    "loaded does nothing now, and takes effect at a time that nobody has chosen.",
    "a file was last written before the oldest process that serves began",
    "proc(5), stat: starttime; stat(2): st_mtime",
    "Test the file and reload the program; then this audit is of what runs.",
    check,
)
