"""What a value is and where it came from. Unset is None, unlimited math.inf; neither is zero."""

from __future__ import annotations

from enum import Enum

import msgspec

Scalar = int | float | str | bool


AS_GOOD_IF_MORE = frozenset({"nofile", "worker_rlimit_nofile", "ulimit_n", "pids_max"})
"""Settings of which more than was asked for is as good.

HAProxy leaves a limit above `ulimit-n` as it is, and a worker of nginx has that of nginx until it
has set its own.
"""


ALIAS = "alias "
"""Before the prefix of a location, as the setting of what stands in the prefix's place."""
SOMETIMES = "set_"
"""Before a setting: what a rule says instead for the requests that it picks."""


class Source(Enum):
    """Where a value came from."""

    WRITTEN = "written"
    DEFAULT = "default"
    OBSERVED = "observed"
    DERIVED = "derived"
    ASSUMED = "assumed"
    MEASURED = "measured"


class Place(msgspec.Struct, frozen=True):
    """A span of a file: `start` and `end` are byte offsets, `line` counts from 1."""

    file: str
    line: int
    start: int
    end: int


class Value(msgspec.Struct, frozen=True):
    """One setting's value with its source.

    `value` is None where the setting is unset. `why` is the formula (derived), the file read
    (observed), the program and version (default), or the reason (assumed). `configured` is what
    was asked for, where the effective value differs from it.
    """

    setting: str
    value: Scalar | None
    source: Source
    why: str
    place: Place | None = None
    configured: Value | None = None

    @property
    def number(self) -> float:
        """The value as a number; raises TypeError where it is unset or text."""
        if self.value is None or isinstance(self.value, str):
            raise TypeError(f"{self.setting} is {self.value!r}, not a number")
        return float(self.value)


def observed(setting: str, value: Scalar | None, why: str) -> Value:
    """A value read from this machine; `why` names the file."""
    return Value(setting, value, Source.OBSERVED, why)


def derived(setting: str, value: Scalar, why: str) -> Value:
    """A value computed by us; `why` is the formula with the numbers in it."""
    return Value(setting, value, Source.DERIVED, why)


def assumed(setting: str, value: Scalar, why: str) -> Value:
    """A value nobody stated; `why` is the reason for it."""
    return Value(setting, value, Source.ASSUMED, why)


def compared(value: Value, asked: Value | None) -> Value:
    """The value with what was `asked` for, where that is another number and not as good."""
    if asked is None or asked.value is None or value.value in (None, asked.value):
        return value
    if value.setting in AS_GOOD_IF_MORE and value.number >= asked.number:
        return value
    return msgspec.structs.replace(value, configured=asked)
