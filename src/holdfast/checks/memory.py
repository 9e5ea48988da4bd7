"""HF105: what all processes and requests of a host take fits its memory. Knows no file."""

from __future__ import annotations

from holdfast.checks.law import Law, Subject
from holdfast.checks.walls import below
from holdfast.model.finding import Finding, Severity

CODE = "HF105"
RESOURCES = frozenset({"memory"})
OTHERWISE = "add memory, or hosts; or let fewer processes and smaller buffers hold the requests"


def check(subject: Subject) -> list[Finding]:
    """Each such wall below the target."""
    return below(subject, CODE, RESOURCES, OTHERWISE)


LAW = Law(
    CODE,
    "memory runs out below the target",
    Severity.ERROR,
    "Every process takes memory before it does anything, and every request in flight "
    "takes some in the app, in the edge, in its buffers and in the kernel for both ends "
    "of each socket. Past it the kernel kills a process with all that it holds.",
    "memory >= processes x base + in flight x (app + edge + buffers + kernel per socket "
    "end) + idle clients x theirs",
    "profiles measured by holdfast prove; kernel Documentation/admin-guide/cgroup-v2.rst",
    "Add memory or hosts. Or measure the app (holdfast prove --profile-out): what was "
    "assumed is more than most take.",
    check,
)
