"""Files in memory through the whole of an audit, as `holdfast audit` puts it together."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from typing import Any, cast

from holdfast.checks.audit import Audit, audit
from holdfast.cli.audit_input import Input, read_input
from holdfast.facts.hosts import read_packages
from holdfast.model.path import Count, Demand, Host, Kind
from holdfast.model.values import assumed
from holdfast.observe.tree import Tree
from holdfast.readers.text import Given

GIB = 2**30
MEAN_TIME_S = 20.0


class Folder(Given):
    """What a walk over a folder finds, when the folder is a dictionary."""

    def __init__(self, files: Mapping[str, str | bytes], root: str = "") -> None:
        super().__init__(files, root)
        self.left: dict[str, str] = {}
        order = sorted(files, key=lambda name: (name.count("/"), name))
        self.names = tuple(name for name in order if posixpath.basename(name))

    def real(self, name: str) -> str:
        """The file that a name means: there are no links here."""
        return posixpath.normpath(name)


def machine(cores: float = 2, **values: Any) -> Host:
    """A host of 24 GiB with Debian's defaults, or as told."""
    common = {"somaxconn": 4_096, "port_low": 32_768, "port_high": 60_999}
    told = tuple(assumed(name, value, "told") for name, value in {**common, **values}.items())
    return Host("host", Count(), cores, 24 * GIB, told)


def whole(
    files: Mapping[str, str | bytes],
    here: Host | None = None,
    nofile: int = 1_024,
    versions: Mapping[str, str] | None = None,
) -> Input:
    """Every way through the files; Debian's `versions`, but for those that are told."""
    tree, packages = cast("Tree", Folder(files)), read_packages()
    told = {**packages.programs, **(versions or {})}
    known = {name: assumed(name, version, "told") for name, version in told.items()}
    return read_input(tree, here or machine(), packages, known, assumed("nofile", nofile, "told"))


def audited(
    files: Mapping[str, str | bytes],
    target: int | None = None,
    here: Host | None = None,
    nofile: int = 1_024,
    versions: Mapping[str, str] | None = None,
    **fields: Any,
) -> list[Audit]:
    """The audit of every way through the files."""
    found = whole(files, here, nofile, versions)
    demand = Demand(target or 1, (Kind("any", 1.0, MEAN_TIME_S),), **fields)
    return [audit(way.path, demand, target, found.problems) for way in found.ways]
