"""Hosts and demands for the edges' tests; what needs a real nginx or HAProxy skips by its name."""

from __future__ import annotations

import shutil
from typing import Any

import pytest

from holdfast.model.path import Count, Demand, Host, Kind
from holdfast.model.values import observed

SBIN = "/usr/local/sbin:/usr/sbin:/usr/bin"
INSTALLED = {name: shutil.which(name, path=SBIN) for name in ("nginx", "haproxy")}
PROGRAMS = [
    pytest.param(name, marks=pytest.mark.skipif(not path, reason=f"{name} is not installed"))
    for name, path in INSTALLED.items()
]
BUSY = 2_000


def host(nofile: int = 20_000, somaxconn: int = 4_096) -> Host:
    """A host of 2 cores with these limits, typed in."""
    values = (
        observed("nofile_hard", nofile, "typed in"),
        observed("somaxconn", somaxconn, "typed in"),
    )
    return Host("here", Count(), 2, 2**34, values)


def demand(in_flight: int = BUSY, **fields: Any) -> Demand:
    """So many requests of a second each, all of which may come at once."""
    return Demand(in_flight, **{"kinds": (Kind("k", 1.0, 1.0),), "burst": in_flight, **fields})
