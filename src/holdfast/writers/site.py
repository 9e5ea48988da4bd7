"""Where an edge stands: what it listens on, which slots it names, how it spreads. No values."""

from __future__ import annotations

import math
import textwrap
from typing import Literal

import msgspec

from holdfast.model.front.front import Front
from holdfast.model.path import Hop
from holdfast.model.values import Value

Balance = Literal["least", "round_robin", "hash", "random_two"]
"""Least connections; in turn; by the client's address; the better of two drawn by lot."""

WIDTH = 96


class Site(msgspec.Struct, frozen=True):
    """What an edge's files name besides its values.

    `listen` has the address of each listening socket as the program writes it, `slots` and `spare`
    the paths of the workers' sockets, `folder` where the edge may write. Spare ones are asked when
    no other answers; by HAProxy, when all others are in maintenance, or checks say that they are
    down. The `further` ones are slots that come and go, and have their share while a worker is
    there. Relative paths mean the folder that it is started in. `front` is what the edge does for
    the site besides; its numbers that limit anything are values of the hop. Where it has hosts,
    those are dialled in place of slots. `redirect` has the sockets of a second
    port, which sends everybody to `port`. The paths in `health` pass whatever is in flight.
    `brotli` is the file of nginx's module for it, if wanted.
    """

    listen: tuple[str, ...]
    slots: tuple[str, ...]
    spare: tuple[str, ...] = ()
    further: tuple[str, ...] = ()
    folder: str = "edge"
    balance: Balance = "least"
    front: Front = Front()
    redirect: tuple[str, ...] = ()
    port: int = 443
    health: tuple[str, ...] = ()
    brotli: str = ""

    @property
    def behind(self) -> str:
        """What the edge stands before, counted."""
        hosts = len(self.front.hosts)
        return f"{hosts} hosts" if hosts else f"{len(self.slots)} slots"


def value_of(hop: Hop, setting: str) -> Value:
    """The hop's value of a setting; raises KeyError where the sizing gave none."""
    found = hop.get(setting)
    if found is None:
        raise KeyError(f"{hop.program} hop `{hop.name}` has no {setting}")
    return found


def idle_s(hop: Hop) -> Value:
    """How long the edge keeps an idle connection to a worker: its link's dialler gives up first."""
    return hop.links[0].dialler_idle_s


def alive(hop: Hop) -> tuple[Value, Value, Value]:
    """Silence after which TCP asks a client, time between questions, and how many there are."""
    idle, every, probes = (f"keepalive_{name}" for name in ("idle_s", "every_s", "probes"))
    return value_of(hop, idle), value_of(hop, every), value_of(hop, probes)


def plain(value: Value) -> str:
    """The value as both programs write it: whole numbers without a fraction, `on` and `off`."""
    if isinstance(value.value, bool):
        return "on" if value.value else "off"
    if not isinstance(value.value, float):
        return str(value.value)
    return f"{value.value:.0f}" if value.value.is_integer() else f"{value.value:g}"


def whole_s(seconds: float) -> str:
    """Seconds where a program knows no fractions of them: rounded up."""
    return f"{math.ceil(seconds)}s"


def explained(why: str, line: str, indent: str = "    ") -> list[str]:
    """The line below its reason, as comments of as many lines as it takes."""
    comments = textwrap.wrap(why, WIDTH - len(indent) - 2)
    return [*(f"{indent}# {text}" for text in comments), f"{indent}{line}"]


def seconds(value: Value) -> str:
    """A time as both programs write it: `5s`, or `500ms` where it is no whole number."""
    whole = value.number == int(value.number)
    return f"{value.number:.0f}s" if whole else f"{value.number * 1000:.0f}ms"
