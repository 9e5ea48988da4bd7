"""Tornado's own HTTP server: its settings, and what one process holds. It caps nothing. No I/O."""

from __future__ import annotations

import msgspec

from holdfast.model.limit import Limit
from holdfast.model.path import Demand, Hop, Path
from holdfast.programs.rows import Setting
from holdfast.programs.servers import BACKLOG, NOFILE, PAUSES, WORKERS, descriptors, event_loop

RUN = "6.6.1"
"""The version whose limits were run for real."""

BOUND = msgspec.structs.replace(WORKERS, enforced_by="the supervisor")
KEEP_ALIVE_S = Setting(
    "keep_alive_s",
    "seconds",
    3600,
    "4.0",
    "Tornado",
    "`idle_connection_timeout`: how long an idle keep-alive connection stays open.",
)
GRACE_S = Setting(
    "grace_s",
    "seconds",
    None,
    "",
    "the supervisor",
    "How long requests in flight may take to finish once a stop is asked for.",
)
ROWS = (BOUND, BACKLOG, NOFILE, KEEP_ALIVE_S, GRACE_S)


def limits(hop: Hop, path: Path, demand: Demand) -> tuple[Limit, ...]:
    """Descriptors and event loop of each process."""
    found = (descriptors(hop, path, demand, full=PAUSES), event_loop(hop))
    return tuple(limit for limit in found if limit is not None)
