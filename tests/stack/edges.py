"""Stacks behind a real nginx or HAProxy, sized for 2,000 in flight."""

from __future__ import annotations

from typing import Any

from holdfast.sizing.edge import size_edge
from holdfast.sizing.layout import EdgeLayout, Program
from holdfast.stack.config import EdgeConfig
from tests.edges import BUSY, demand, host

SLOTS = 2


def behind(
    program: Program,
    *,
    nofile: int = 20_000,
    somaxconn: int = 4_096,
    burst: int = BUSY,
    **fields: Any,
) -> dict[str, Any]:
    """The fields of a stack's config that put the edge before its slots, in this layout."""
    layout = EdgeLayout(program, "", **{"grace_s": 20.0, "request_buffering": False, **fields})
    hop = size_edge(demand(burst=burst), host(nofile, somaxconn), layout, SLOTS)
    return {"listen": "slots", "edge": EdgeConfig(hop), "slots": SLOTS}
