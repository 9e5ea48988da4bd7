"""Looks up the measured profile of a program. Reads only the data that ships with the package."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import Any


@cache
def read_profiles() -> dict[str, dict[str, Any]]:
    """Every program's measured numbers by name, with `version`, `date` and `source`."""
    loaded: dict[str, dict[str, Any]] = json.loads(
        files("holdfast.facts").joinpath("profiles.json").read_text("utf-8")
    )
    return loaded
