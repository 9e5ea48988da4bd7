"""Stacks behind a real nginx or HAProxy, sized for 2,000 in flight; skipped where none is there."""

from __future__ import annotations

import shutil
from typing import Any

import pytest

from holdfast.model.path import Count, Demand, Host, Kind
from holdfast.model.values import observed
from holdfast.sizing.edge import EdgeLayout, Program, size_edge
from holdfast.stack.config import EdgeConfig
from tests.stack.driving import BUSY

SBIN = "/usr/local/sbin:/usr/sbin:/usr/bin"
INSTALLED = {name: shutil.which(name, path=SBIN) for name in ("nginx", "haproxy")}
PROGRAMS = [
    pytest.param(name, marks=pytest.mark.skipif(not path, reason=f"{name} is not installed"))
    for name, path in INSTALLED.items()
]
SLOTS = 2


def host(nofile: int = 20_000, somaxconn: int = 4_096) -> Host:
    """A host of 2 cores with these limits, typed in."""
    values = (
        observed("nofile_hard", nofile, "typed in"),
        observed("somaxconn", somaxconn, "typed in"),
    )
    return Host("here", Count(), 2, 2**34, values)


def demand(in_flight: int = BUSY, **fields: Any) -> Demand:
    """So many requests of a second each, all of which may come at once."""
    return Demand(in_flight, (Kind("k", 1.0, 1.0),), **{"burst": in_flight, **fields})


def behind(
    program: Program, *, nofile: int = 20_000, somaxconn: int = 4_096, burst: int = BUSY
) -> dict[str, Any]:
    """The fields of a stack's config that put the edge before its slots."""
    layout = EdgeLayout(program, "", SLOTS, grace_s=20.0, request_buffering=False)
    hop = size_edge(demand(burst=burst), host(nofile, somaxconn), layout)
    return {"listen": "slots", "edge": EdgeConfig(hop), "slots": SLOTS}
