"""Looks up the measured requests a second of engines and edges. Reads only data of the package."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

import msgspec


class Rate(msgspec.Struct, frozen=True):
    """What one engine behind one edge (`none`: direct) answered, of a "hello" app, in a second.

    `requests_s` is the median of the rounds, `least` and `most` their ends, with the load on the
    same cores; `path_us` the processor of workers and edge a request. The stack was sized for
    `in_flight`.
    """

    interface: str
    engine: str
    edge: str
    in_flight: int
    requests_s: int
    least: int
    most: int
    path_us: float


class Rates(msgspec.Struct, frozen=True):
    """All rows of one run, with where and when it was."""

    date: str
    source: str
    connections: int
    cores: float
    cpu_model: str | None
    versions: dict[str, str]
    rows: tuple[Rate, ...]


@cache
def read_rates() -> Rates:
    """The table that `scripts/bench engines_rate --facts` wrote."""
    text = files("holdfast.facts").joinpath("rates.json").read_bytes()
    return msgspec.json.decode(text, type=Rates)
