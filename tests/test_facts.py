"""The facts that benches wrote are what their raw results say: nobody wrote one by hand."""

from __future__ import annotations

import json

import pytest
from bench import _facts
from bench._rounds import beats

from holdfast.facts.profiles import read_profiles
from holdfast.facts.rates import read_rates
from holdfast.wire import ENGINES


def test_rates_are_those_of_the_bench() -> None:
    """facts/rates.json is what `engines_rate --facts` makes of its result."""
    assert json.loads((_facts.FACTS / "rates.json").read_text()) == _facts.rates()


def test_each_engine_is_measured_behind_each_edge_and_direct() -> None:
    """The table has every engine of the house three times, and none without an answer."""
    rows = read_rates().rows
    asked = {(engine, edge) for engine in ENGINES for edge in ("none", "nginx", "haproxy")}
    assert {(row.engine, row.edge) for row in rows} == asked
    assert all(row.least > 0 and ENGINES[row.engine].interface == row.interface for row in rows)


@pytest.mark.parametrize("rows", [_facts.edge_rows, _facts.tls_rows, _facts.engine_rows])
def test_profiles_are_those_of_the_bench(rows: object) -> None:
    """Rows of facts/profiles.json are what the benches' `--facts` make of their results."""
    made = rows()  # type: ignore[operator]
    assert made == {name: read_profiles()[name] for name in made}


@pytest.mark.parametrize(("faster", "is_beaten"), [(9, True), (8, True), (7, False), (0, False)])
def test_one_row_beats_another_in_eight_of_nine_rounds(faster: int, is_beaten: bool) -> None:
    """Faster in fewer than eight of nine rounds is not told apart."""
    won, lost = ({"a": {"requests_s": n}, "b": {"requests_s": 2}} for n in (3, 1))
    assert beats([won] * faster + [lost] * (9 - faster), "a", "b") == is_beaten
