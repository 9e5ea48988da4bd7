"""Places in our own workers: how many requests are let in, and what the next one meets. No I/O."""

from __future__ import annotations

from holdfast.model.limit import Act, Full, Limit
from holdfast.model.path import Demand, Hop, Path
from holdfast.programs.rows import number
from holdfast.programs.servers import of_each
from holdfast.programs.sockets import arriving

PLACES, ROOM, WAIT_S, RETRY_AFTER_S = "places", "places_room", "places_wait_s", "retry_after_s"
ENFORCER = "holdfast's worker"


def limits(hop: Hop, path: Path, demand: Demand) -> tuple[Limit, ...]:
    """The places of each worker, where it was told of any."""
    most = hop.get(PLACES)
    if most is None or most.value is None:
        return ()
    room, wait_s = int(number(hop, ROOM)) * hop.processes, number(hop, WAIT_S)
    limit = of_each(
        hop,
        PLACES,
        most.number,
        (most,),
        f"{most.number:,.0f} let in to the app in each of {hop.processes}",
        spread=arriving(hop, path, demand)[2],
        full=waits("its worker's line", room, wait_s, demand),
        enforcer=ENFORCER,
    )
    return (limit,)


def waits(where: str, room: int, wait_s: float, demand: Demand) -> Full:
    """What the next request meets that waits so long: one as long as requests last gets it a place.

    `where` names the line, which has `room`.
    """
    if not wait_s or not room:
        return Full(Act.REFUSES, told="503 at once")
    told = f"waits up to {wait_s:g} s in {where}, then 503"
    act = Act.REFUSES if wait_s < demand.mean_time_s else Act.QUEUES
    return Full(act, room, wait_s, told)
