"""What a plan says of hosts behind an edge: each one's share, and what one takes with it. Pure."""

from __future__ import annotations

import msgspec

from holdfast.model.front.front import Front
from holdfast.model.path import Demand, Path
from holdfast.model.profile import Profile
from holdfast.model.units import format_seconds
from holdfast.programs.hosts import cut


def elsewhere(worker: Profile) -> Profile:
    """The profile of workers that take nothing of this host's processor."""
    none = msgspec.structs.replace(worker.request_cpu_s, value=0.0, why="the hosts serve the app")
    return msgspec.structs.replace(worker, request_cpu_s=none)


def host_notes(path: Path, front: Front, demand: Demand) -> tuple[str, ...]:
    """What each host must hold, and the most that is lost with one; none where there are none."""
    if not front.hosts:
        return ()
    hosts, lost = path.hop("hosts"), cut(path.hop("edge"), front, demand)
    share = hosts.get("share")
    assert share is not None
    return (
        f"each of {hosts.processes} hosts is to hold {share.number:,.0f}, so that "
        f"{front.spare_hosts} may be lost",
        f"a host that is cut off takes {lost.requests:,} requests with it at most: {lost.inside:,} "
        f"inside it and {lost.sent:,} sent by connections that were idle; they are told within "
        f"{format_seconds(lost.told_s)}",
    )
