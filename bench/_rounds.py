"""What interleaved rounds say of their rows: medians, and which row is faster than which. Pure."""

from __future__ import annotations

import statistics
from typing import Any, Final

LEAST_WINS: Final = 8 / 9
"""One row beats another where it is faster in so many of the rounds: a one-sided sign test, which
two equal rows pass in 2 % of series of nine, (9 + 1) / 2**9."""


def beats(rounds: list[dict[str, Any]], one: str, other: str) -> bool:
    """Whether one row was faster than another in at least LEAST_WINS of the rounds of both."""
    both = [each for each in rounds if one in each and other in each]
    wins = sum(each[one]["requests_s"] > each[other]["requests_s"] for each in both)
    return wins >= LEAST_WINS * len(both)


def medians_of(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """The median of each number of a row's runs, the ends of its rates, and what failed."""
    keys = [key for key in runs[0] if key != "failed"]
    found = {key: round(statistics.median(one[key] for one in runs), 1) for key in keys}
    rates = [one["requests_s"] for one in runs]
    failed = sum(one["failed"] for one in runs)
    return found | {"least": min(rates), "most": max(rates), "rounds": len(runs), "failed": failed}
