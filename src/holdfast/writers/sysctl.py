"""The kernel's settings as a file of sysctl.d, and as running values. Touches neither."""

from __future__ import annotations

from collections.abc import Iterable

from holdfast.model.tuning import Keeper, Need
from holdfast.writers.comments import comment, heading

FILE = "/etc/sysctl.d/90-holdfast.conf"


def render(changes: Iterable[Need], in_flight: int) -> dict[str, str]:
    """{file: text} for the changes that are sysctls; empty where none is."""
    lines = [
        f"\n{comment(f'{need.wanted.why}; it was {need.now.value}')}"
        f"{need.setting} = {need.wanted.value}\n"
        for need in _ordered(changes)
        if need.wanted is not None
    ]
    return {FILE: heading(in_flight) + "".join(lines)} if lines else {}


def running(changes: Iterable[Need]) -> dict[str, str]:
    """{sysctl: value} to write to the kernel that runs, in this order."""
    return {n.setting: str(n.wanted.value) for n in _ordered(changes) if n.wanted is not None}


def _ordered(changes: Iterable[Need]) -> list[Need]:
    """Reserved ports first, so that a wider range never gives one of them out meanwhile."""
    sysctls = [need for need in changes if need.keeper is Keeper.SYSCTL]
    return sorted(sysctls, key=lambda need: "reserved" not in need.setting)
