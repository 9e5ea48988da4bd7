"""What a limit is, and what it holds. The arithmetic is in `holding`."""

from __future__ import annotations

from enum import Enum
from typing import Literal

import msgspec

from holdfast.model.finding import Finding, Severity
from holdfast.model.path import Spread
from holdfast.model.values import Value

__all__ = ("Act", "Finding", "Full", "Holds", "Limit", "Scope", "Severity")


class Act(Enum):
    """What happens to the next request when a limit is full."""

    LEAVES = "leaves"
    QUEUES = "queues"
    REFUSES = "refuses"
    CLOSES = "closes"
    RETRIES = "retries"
    SLOWS = "slows"
    KILLED = "killed"


class Scope(Enum):
    """What a limit counts for."""

    PROCESS = "process"
    HOST = "host"
    FLEET = "fleet"


class Full(msgspec.Struct, frozen=True):
    """When it is full: the act, room to wait in, for how long, and what the client is told.

    `also` names what some requests meet beside the act, by the order in which they arrive.
    """

    act: Act
    room: int = 0
    for_s: float = 0.0
    told: str = ""
    also: tuple[Act, ...] = ()


class Limit(msgspec.Struct, frozen=True):
    """What some values allow.

    Each of `scopes` equal scopes has `capacity` units, of which the program takes `own`; a request
    takes `per_request` and an idle client `per_idle` (nothing when it `yields` its place). `onset`
    is the part of what is left at which failures begin. For a limit that bounds a rate,
    `per_request` is unit-seconds a request, and `servers` > 0 makes it a pool whose wait is
    Erlang C's; 0 makes it a fluid such as the processor. `enforcer` is empty where nobody
    enforces it. `together` requests reach one scope by one connection of a client, so that they
    are not spread. The scopes may stand in `groups`, each behind an address of its own: requests
    are spread over these as `among` says, `apart` of them at most above an even share, and within a
    group as `spread` says.
    """

    hop: str
    resource: str
    scope: Scope
    scopes: int
    bounds: Literal["in_flight", "rate"]
    capacity: float
    own: float
    per_request: float
    per_idle: float
    yields: bool
    onset: float
    spread: Spread
    full: Full
    enforcer: str
    inputs: tuple[Value, ...]
    formula: str
    servers: int = 0
    together: float = 1.0
    groups: int = 1
    among: Spread = Spread.ONLY
    apart: int = 1


class Holds(msgspec.Struct, frozen=True, order=True):
    """`sure`: no failure up to here; `onset`: failures may begin; `best`: most ever answered."""

    sure: int
    onset: int
    best: int
