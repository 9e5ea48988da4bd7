"""What a machine's setting is against what a demand needs of it. Frozen records, no decisions."""

from __future__ import annotations

from enum import Enum

import msgspec

from holdfast.model.path import Demand, Path
from holdfast.model.values import Value


class Keeper(Enum):
    """Who keeps a setting: the kernel (sysctl), the login (limit), or a control group."""

    SYSCTL = "sysctl"
    LIMIT = "limit"
    CGROUP = "cgroup"


class Standing(Enum):
    """How a setting stands to the demand."""

    ENOUGH = "enough now"
    CHANGE = "change"
    UNKNOWN = "cannot be known here"


class Need(msgspec.Struct, frozen=True):
    """One setting, under the name that its keeper gives it, and what the demand needs of it.

    `wanted` is None where nothing is to change; its `why` is the formula with the numbers. `why`
    is what the setting is to the demand, and `who` must make the change.
    """

    setting: str
    keeper: Keeper
    standing: Standing
    now: Value
    wanted: Value | None
    why: str
    who: str


class Tuning(msgspec.Struct, frozen=True):
    """A machine against a demand.

    `path` is the plan once every change is made. `fits` of `demand` are held without any, by the
    path `narrower`, which is None where nothing is.
    """

    demand: Demand
    needs: tuple[Need, ...]
    path: Path
    fits: int
    narrower: Path | None

    @property
    def changes(self) -> tuple[Need, ...]:
        """The settings that must change; without any one of them the demand is not held."""
        return changes(self.needs)


def changes(needs: tuple[Need, ...]) -> tuple[Need, ...]:
    """Those of some needs that ask for another value."""
    return tuple(need for need in needs if need.wanted is not None)
