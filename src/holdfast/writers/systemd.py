"""Limits and control groups as a drop-in of a service's unit, to be shown. Touches no disk."""

from __future__ import annotations

from collections.abc import Iterable

from holdfast.model.tuning import Keeper, Need
from holdfast.writers.comments import comment, heading

_LINES = {
    "nofile": ("LimitNOFILE", 1, ""),
    "memory.max": ("MemoryMax", 1, ""),
    "cpu.max": ("CPUQuota", 100, "%"),
    "pids.max": ("TasksMax", 1, ""),
}
"""systemd.exec(5), systemd.resource-control(5): the option, our value in its unit, the unit."""


def render(changes: Iterable[Need], in_flight: int) -> str:
    """The drop-in `SERVICE.service.d/90-holdfast.conf`; empty where no change is a service's."""
    lines = []
    for need in changes:
        if need.keeper is Keeper.SYSCTL or need.wanted is None:
            continue
        option, factor, unit = _LINES[need.setting]
        value = need.wanted.number * factor
        lines.append(f"{comment(need.wanted.why)}{option}={value:.0f}{unit}\n")
    return f"{heading(in_flight)}[Service]\n{''.join(lines)}" if lines else ""
