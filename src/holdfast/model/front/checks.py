"""How the edge finds out that a host, or a worker, is not well: the table `[edge.checks]`.

No behaviour but arithmetic: how long finding out takes, and which pause it bears.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from holdfast.model.front.units import Count, Seconds

CONNECT_S = 2.0
"""To connect over a network: a SYN that is lost is sent again after 1 s, and has a second then."""


class Checks(Struct, frozen=True, forbid_unknown_fields=True):
    """When a host is taken out, and when it is back."""

    path: Annotated[
        str,
        Meta(
            pattern=r"^(/[A-Za-z0-9._~%/?&=-]*)?$",
            description="What HAProxy asks; any status below 400 is well. Empty, it only connects, "
            "which a process that stands still answers, too. nginx asks nothing.",
        ),
    ] = ""
    interval: Annotated[Seconds, Meta(description="Time between two checks.")] = 2.0
    timeout: Annotated[Seconds, Meta(description="How long an answer may take.")] = 1.0
    rise: Annotated[Count, Meta(description="Good checks after which a host is back.")] = 2
    fall: Annotated[Count, Meta(description="Bad checks after which a host is out.")] = 3

    @property
    def patience_s(self) -> float:
        """The longest that one check takes: to connect, where nobody is, or to be answered."""
        return max(self.timeout, min(CONNECT_S, self.interval))

    @property
    def found_s(self) -> float:
        """Seconds after which a host that is cut off is out: it was well an instant before."""
        return self.fall * (self.interval + self.patience_s)

    @property
    def borne_s(self) -> float:
        """The longest pause of a process that never takes it out: its checks wait one by one."""
        return self.fall * self.timeout
