"""Stacks behind a real nginx or HAProxy, sized for 2,000 in flight."""

from __future__ import annotations

import contextlib
import os
from typing import Any

import msgspec

from holdfast.model.front.body import Body
from holdfast.model.front.front import Front
from holdfast.model.path import Hop
from holdfast.model.values import assumed
from holdfast.sizing.edge import size_edge
from holdfast.sizing.layout import EdgeLayout, Program
from holdfast.stack.config import EdgeConfig
from holdfast.stack.process import StackProcess
from tests.edges import BUSY, demand, host

SLOTS = 2

UNBUFFERED = Front(body=Body(buffered=False))


def behind(
    program: Program,
    *,
    nofile: int = 20_000,
    somaxconn: int = 4_096,
    burst: int = BUSY,
    values: dict[str, int] | None = None,
    front: Front = UNBUFFERED,
    **fields: Any,
) -> dict[str, Any]:
    """The fields of a stack's config that put the edge before its slots, in this layout.

    `values` take the place of what the sizing gives, where they are there.
    """
    layout = EdgeLayout(program, "", front=front, **{"grace_s": 20.0, **fields})
    hop = size_edge(demand(burst=burst), host(nofile, somaxconn), layout, SLOTS)
    edge = EdgeConfig(_changed(hop, values or {}), front=front)
    return {"listen": "slots", "edge": edge, "slots": SLOTS}


def _changed(hop: Hop, values: dict[str, int]) -> Hop:
    changed = (
        assumed(value.setting, values[value.setting], "a test's")
        if value.setting in values
        else value
        for value in hop.values
    )
    return msgspec.structs.replace(hop, values=tuple(changed))


def edge_sockets(stack: StackProcess) -> int:
    """Open sockets of all of the edge's processes: what they hold of clients and workers."""
    return sum(map(open_sockets, stack.edge_pids()))


def open_sockets(pid: int) -> int:
    """Sockets that a process has open; 0 where it is gone."""
    found = 0
    with contextlib.suppress(OSError):
        for entry in os.scandir(f"/proc/{pid}/fd"):
            with contextlib.suppress(OSError):
                found += os.readlink(entry.path).startswith("socket:")
    return found
