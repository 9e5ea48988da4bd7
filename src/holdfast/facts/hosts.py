"""Looks up what a freshly installed host allows. Reads only what ships with the package."""

from __future__ import annotations

import json
import math
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

Setting = int | float | str | bool


DISTRIBUTIONS = ("debian-12",)
"""Those of which it is known here what they set, as `--assume` calls them."""


class Packages(NamedTuple):
    """What a distribution calls itself, its versions of programs, and its nginx.conf as text.

    Of that file, the settings that limit anything, and where it includes sites.
    """

    name: str
    programs: dict[str, str]
    nginx: str


@cache
def read_defaults(distribution: str = DISTRIBUTIONS[0]) -> dict[str, tuple[Setting, str]]:
    """A distribution's limits by setting: the value (infinity: no limit), and who sets it so.

    Only what does not depend on the size of the machine or on what else is installed.
    """
    found = _facts(distribution)
    name = found["name"]
    return {
        setting: (math.inf if value == "no limit" else value, f"{name}'s default: {why}")
        for setting, (value, why) in found["values"].items()
    }


@cache
def read_packages(distribution: str = DISTRIBUTIONS[0]) -> Packages:
    """What a distribution packages (packages.debian.org); raises ValueError for an unknown one."""
    found = _facts(distribution)
    return Packages(found["name"], found["programs"], "\n".join(found["nginx.conf"]))


def _facts(distribution: str) -> dict[str, Any]:
    if distribution not in DISTRIBUTIONS:
        raise ValueError(f"one of {', '.join(DISTRIBUTIONS)}")
    name = f"{distribution.replace('-', '')}.json"
    known: dict[str, Any] = json.loads(files("holdfast.facts").joinpath(name).read_text("utf-8"))
    return known
