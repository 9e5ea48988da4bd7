"""What the programs of files take of memory, where it is known how much of that there is.

Files do not say it: an edge takes what was measured, an app what `plan` assumes of one that nobody
has measured, which is said.
"""

from __future__ import annotations

from typing import Any

import msgspec

from holdfast.cli.edge_costs import tls_costs
from holdfast.facts.profiles import read_profiles
from holdfast.model.path import Hop, Path
from holdfast.model.values import Source, Value, assumed
from holdfast.readers.commands import EDGES, SERVERS
from holdfast.readers.join import HOSTS

COSTS = ("base_bytes", "connection_bytes", "request_bytes", "idle_bytes")
"""Of a process, of each connection that it is configured for, of a request, of an idle client."""
ENDS = ("socket_end_bytes", "unix_end_bytes", "thread_bytes")
KERNEL, UNMEASURED = "kernel", "unmeasured"


def with_memory(path: Path) -> Path:
    """The path with what each hop takes, on hosts whose memory was said or seen."""
    return msgspec.structs.replace(
        path,
        hops=tuple(
            msgspec.structs.replace(hop, values=(*_costs(hop), *hop.values))
            if _is_here(path, hop)
            else hop
            for hop in path.hops
        ),
    )


def _is_here(path: Path, hop: Hop) -> bool:
    """Whether it takes of a memory that is known; one that is on several hosts does not."""
    return path.host(hop.host).get("memory_available") is not None and hop.get(HOSTS) is None


def _costs(hop: Hop) -> tuple[Value, ...]:
    profiles = read_profiles()
    if hop.program in SERVERS:
        row: dict[str, Any] = profiles[UNMEASURED]
        return tuple(assumed(name, row[name], row["why"]) for name in COSTS if name in row)
    if hop.program not in (*EDGES, KERNEL):
        return ()
    row = profiles[hop.program]
    why = f"{hop.program} {row['version']}, {row['date']}, {row['source']}"
    names = (name for name in (*COSTS, *ENDS) if name in row)
    found = tuple(Value(name, row[name], Source.MEASURED, why) for name in names)
    return (*found, *tls_costs(hop.program)[:2]) if hop.get("ssl") is not None else found
