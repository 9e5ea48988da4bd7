"""HF106: the rate that the target implies is carried by the cores. Knows no file."""

from __future__ import annotations

from holdfast.checks.law import Law, Subject
from holdfast.checks.walls import below
from holdfast.model.finding import Finding, Severity

CODE = "HF106"
RESOURCES = frozenset({"processor", "event loop"})
OTHERWISE = "more cores or hosts; requests that take longer at the same number in flight cost less"


def check(subject: Subject) -> list[Finding]:
    """Each such wall below the target."""
    return below(subject, CODE, RESOURCES, OTHERWISE)


LAW = Law(
    CODE,
    "the processor does not carry the rate",
    Severity.ERROR,
    "A number in flight and a mean time are a rate (Little's law), and each request costs "
    "processor time. Past the cores answers take longer, so more are in flight, and so "
    "on.",
    "in flight / mean time x processor seconds a request <= cores x 0.7; one event loop "
    "uses one core",
    "Little, 1961; profiles measured by holdfast prove",
    "Add cores, hosts, or processes where one event loop is full.",
    check,
)
