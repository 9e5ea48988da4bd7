"""Hosts behind an edge, of which only their number is known; and what is lost with one. No I/O."""

from __future__ import annotations

import math

import msgspec

from holdfast.model.front.front import Front
from holdfast.model.limit import Act, Full, Limit, Scope
from holdfast.model.path import Demand, Hop, Path
from holdfast.programs.rows import counted, number


class Cut(msgspec.Struct, frozen=True):
    """What one host takes with it that is cut off without a word.

    `inside` requests are the most that it holds, and `sent` the most that are sent to it before
    nobody does any more; the last of them is told within `told_s` seconds of when it was sent.
    """

    inside: int
    sent: int
    told_s: float

    @property
    def requests(self) -> int:
        """All that can be lost."""
        return self.inside + self.sent


def limits(hop: Hop, path: Path, demand: Demand) -> tuple[Limit, ...]:
    """What all hosts that are left hold, where each says how much it does."""
    held = hop.get("in_flight")
    if held is None:
        return ()
    return (
        counted(
            hop.name,
            "requests",
            capacity=held.number + 1,  # what they are sure of: the next one may fail
            per_request=1.0,
            scope=Scope.FLEET,
            full=Full(Act.QUEUES, told="as the hosts do when they are full"),
            enforcer="the hosts",
            inputs=(held,),
            formula=held.why,
        ),
    )


def cut(edge: Hop, front: Front, demand: Demand) -> Cut:
    """The most that the heaviest host takes with it, while all of them are there.

    Inside it: its share by weight, and one more for each process that counts for itself. A new
    connection fails before anything is sent, and goes elsewhere; so what is sent later goes by
    connections that were idle, of which there are no more than the edge keeps. nginx tells them
    after `proxy_read_timeout`; HAProxy's connections are given up by TCP's own questions.
    """
    weights = [host.weight for host in front.hosts]
    inside = math.ceil(demand.in_flight * max(weights) / sum(weights)) + edge.processes
    if edge.program == "nginx":
        sent = number(edge, "keepalive") * edge.processes
        return Cut(inside, int(sent), number(edge, "proxy_read_timeout_s"))
    sent = number(edge, "server_pool_max_conn") * edge.processes
    asked = number(edge, "server_keepalive_every_s") * number(edge, "server_keepalive_probes")
    told_s = number(edge, "server_keepalive_idle_s") + asked
    return Cut(inside, int(sent), min(told_s, number(edge, "timeout_server_s")))
