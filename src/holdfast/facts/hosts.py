"""Looks up what a freshly installed host allows. Reads only what ships with the package."""

from __future__ import annotations

import json
import math
from functools import cache
from importlib.resources import files

Setting = int | float | str | bool


@cache
def read_defaults() -> dict[str, tuple[Setting, str]]:
    """Debian 12's limits by setting: the value (infinity: no limit), and who sets it so.

    Only what does not depend on the size of the machine or on what else is installed.
    """
    text = files("holdfast.facts").joinpath("debian12.json").read_text("utf-8")
    found = json.loads(text)
    name = found["name"]
    return {
        setting: (math.inf if value == "no limit" else value, f"{name}'s default: {why}")
        for setting, (value, why) in found["values"].items()
    }
