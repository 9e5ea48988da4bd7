"""Hosts that an edge stands before, in place of workers of its own: the tables `[[edge.hosts]]`.

No behaviour but arithmetic: what falls on each, with some of them lost.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated

from msgspec import Meta, Struct

from holdfast.model.front.units import Count


class Upstream(Struct, frozen=True, forbid_unknown_fields=True):
    """One host that serves the app."""

    address: Annotated[
        str,
        Meta(
            pattern=r"^([0-9]{1,3}(\.[0-9]{1,3}){3}|\[[0-9a-fA-F:.]+\]):[0-9]{1,5}$",
            description="IP address and port: `10.0.0.2:8000`, `[fd00::2]:8000`. No name: both "
            "programs would ask for its address only once.",
        ),
    ]
    weight: Annotated[
        Count, Meta(le=256, description="Its share beside the others': the number of its workers.")
    ] = 1
    in_flight: Annotated[
        Count | None,
        Meta(description="Requests that it holds: the `--in-flight` of its own `holdfast up`."),
    ] = None


def lasting(hosts: Sequence[Upstream], spare: int) -> int:
    """The weights that are left when so many hosts, the heaviest, are lost."""
    weights = sorted(host.weight for host in hosts)
    return sum(weights[: len(weights) - spare])


def share(host: Upstream, of: float, weights: int) -> int:
    """What falls on a host of `of` requests that are spread by weights of such a sum."""
    return math.ceil(of * host.weight / weights - 1e-9)
