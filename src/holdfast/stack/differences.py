"""What a stack runs with that is not what was asked for, as findings: fault, place, hint (law 5).

Values in, records out: reads nothing. Must not know how a value was read.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from holdfast.model.values import Value

_DESCRIPTORS: Final = "raise the hard limit (`ulimit -Hn {0}`, or LimitNOFILE={0} in systemd)"
_HINTS: Final = {
    "backlog": "raise it (`sysctl -w net.core.somaxconn={0}`), and start the stack again",
    "nofile": _DESCRIPTORS,
    "ulimit_n": _DESCRIPTORS,
    "worker_rlimit_nofile": _DESCRIPTORS,
    "worker_processes": "see in the edge's log why they end",
}
_ELSE: Final = "see the edge's log, or start the stack again: something else has changed it"


class Difference(msgspec.Struct, frozen=True):
    """A value that is not as asked: `fault`, the `place` where it was read, and what to do."""

    fault: str
    place: str
    hint: str


def differences(values: Iterable[Value]) -> tuple[Difference, ...]:
    """Those of `values` that differ from what they were configured to be, alike ones as one."""
    places: dict[tuple[str, object, object], list[str]] = {}
    for value in values:
        if value.configured is not None:
            key = (value.setting, value.value, value.configured.value)
            places.setdefault(key, []).append(value.why)
    return tuple(
        Difference(
            f"`{setting}` is {found}, and {wanted} was asked for",
            where[0] if len(where) == 1 else f"{where[0]}, and {len(where) - 1} more",
            _HINTS.get(setting, _ELSE).format(wanted),
        )
        for (setting, found, wanted), where in places.items()
    )
