"""What the model says of a stack before it is run, and what its first wall's raising changes."""

from __future__ import annotations

from random import Random
from typing import NamedTuple

import msgspec

from holdfast.model.limit import Act, Holds, Limit
from holdfast.model.path import Path, find
from holdfast.model.values import Source, Value
from holdfast.programs.catalog import path_walls
from tests.law3.stacks import ASKED, STACKS, Stack


class Wall(NamedTuple):
    """A limit and what it holds."""

    limit: Limit
    holds: Holds

    @property
    def setting(self) -> str:
        """The setting that is named first: raising it moves the wall."""
        return self.limit.inputs[0].setting

    @property
    def acts(self) -> set[Act]:
        """What the next requests may meet."""
        return {self.limit.full.act, *self.limit.full.also}

    @property
    def may_wait(self) -> bool:
        """Whether a request that is not let in may be one that waits."""
        return Act.QUEUES in self.acts

    def record(self) -> dict[str, object]:
        """The wall as a result file has it."""
        full = self.limit.full
        return {
            "hop": self.limit.hop,
            "resource": self.limit.resource,
            "setting": self.setting,
            "value": self.limit.inputs[0].value,
            "sure": self.holds.sure,
            "onset": self.holds.onset,
            "best": self.holds.best,
            "act": full.act.value,
            "also": [act.value for act in full.also],
            "told": full.told,
        }


def drawn(name: str, seed: int) -> Stack:
    """The stack of that name, its settings drawn by lot."""
    return STACKS[name](Random(f"{seed} {name}"))


def walls(stack: Stack) -> tuple[Wall, ...]:
    """The walls of a stack, narrowest first."""
    return tuple(Wall(*wall) for wall in path_walls(stack.path, stack.demand(ASKED)))


def next_wall(stack: Stack) -> Wall:
    """The narrowest wall that another setting makes: the one to be met after raising the first."""
    first, *later = walls(stack)
    return next(wall for wall in later if wall.setting != first.setting)


def raised(stack: Stack) -> Stack:
    """The stack with nothing changed but the setting that the narrowest limit names first."""
    first = walls(stack)[0]
    named = first.limit.inputs[0]
    more = named.number * 4 if named.setting != "port_high" else named.number + 300
    value = Value(named.setting, int(more), Source.WRITTEN, "raised")
    return stack._replace(path=_with(stack.path, first.limit.hop, value))


def _with(path: Path, name: str, value: Value) -> Path:
    """The path with a value set on the hop of that name, or on the hosts where they have it."""
    replace = msgspec.structs.replace
    hosts = tuple(
        replace(host, values=(*host.values, value)) if find(host.values, value.setting) else host
        for host in path.hosts
    )
    hops = tuple(
        replace(hop, values=(*hop.values, value)) if hop.name == name else hop for hop in path.hops
    )
    return replace(path, hosts=hosts, hops=hops)
