"""Answers follow the formula and not the file: order, names, blanks and comments change nothing."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.checks.audit import Audit
from holdfast.testing.cases import Case
from tests.checks.folder import audited
from tests.checks.stacks import Lots, Numbers, stack
from tests.checks.test_documented import CASES

COMMENTED = (".conf", ".cfg", ".py", ".service", ".socket")
"""Files in which a line may be a comment wherever a line may be."""
KINDS = ("nginx", "haproxy")
UNIT = re.compile(r"\S+\.service")
PORTS = 60_999 - 32_768 + 1
NUMBERS = st.builds(
    Numbers,
    processes=st.integers(1, 8),
    connections=st.integers(20, 4_000),
    workers=st.integers(1, 9),
    each=st.integers(1, 3_000),
    sites=st.integers(1, 4),
    backlog=st.sampled_from((64, 2_048)),
    grace=st.sampled_from((30, 120)),
    stop=st.just(90),
)
LOTS = st.integers(0, 10**9)
TARGETS = st.sampled_from((None, 500, 20_000))


def answer(kind: str, numbers: Numbers, lot: int | None, target: int | None, unix: bool) -> object:
    """What does not depend on how it was written: holds, walls and laws of every way."""
    found, *others = audited(stack(kind, numbers, lot, unix=unix), target)
    assert found.path.unjoined == ()
    assert all(other.holds == found.holds for other in others)  # a way for each port
    told = [(f.code, f.severity.value, UNIT.sub("unit", f.formula)) for f in found.findings]
    walls = [(limit.resource.partition(" to ")[0], held) for limit, held in found.walls]
    return found.holds, sorted(walls, key=repr), sorted(told, key=repr), _named(found)


def _named(found: Audit) -> object:
    """The narrowest wall and the number that makes it."""
    narrowest = found.narrowest
    assert narrowest is not None
    limit, value = narrowest
    return limit.resource.partition(" to ")[0], None if value is None else value.value


def judge(kind: str, numbers: Numbers, lot: int, target: int | None, unix: bool) -> None:
    """Written in another way, the same answer."""
    usual = answer(kind, numbers, None, target, unix)
    assert answer(kind, numbers, lot, target, unix) == usual


def expected(kind: str, numbers: Numbers, unix: bool) -> int:
    """The most that is ever answered, by the design's formulas."""
    app = numbers.workers * numbers.each
    ports = app if unix else PORTS
    if kind == "haproxy":
        server = numbers.each * max(1, numbers.processes)
        return min(numbers.connections, server, app, ports)
    one = (numbers.connections - 1 - numbers.sites) // 2
    return min(numbers.processes * one, app, ports)


@pytest.mark.parametrize("kind", KINDS)
def test_one_stack_written_in_another_way(kind: str, seed: int) -> None:
    """With names, order, blanks and comments by the seed: the same laws, the same numbers."""
    numbers = Numbers(2, 768, 4, 1_000, 3, grace=120)
    judge(kind, numbers, seed, 20_000, True)
    best = {found.holds.best for found in audited(stack(kind, numbers, seed, unix=True))}
    assert best == {expected(kind, numbers, True)}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_comments_and_blanks_say_nothing(case: Case, seed: int) -> None:
    """Between the lines of a documented configuration they change no number and no law."""
    told = {name: text for name, text in case.files.items() if name != "source"}
    noisy = {
        name: Lots(seed).lines(text) if name.endswith(COMMENTED) else text
        for name, text in told.items()
    }
    for target in (None, 10_000):
        usual, again = audited(told, target), audited(noisy, target)
        assert [found.holds for found in again] == [found.holds for found in usual]
        assert [[f.code for f in found.findings] for found in again] == [
            [f.code for f in found.findings] for found in usual
        ]


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_a_stack_written_in_any_way(kind: str) -> None:
    """Any numbers, any order of servers, sections, keys and assignments, any names."""

    @settings(max_examples=150, deadline=None)
    @given(NUMBERS, LOTS, TARGETS, st.booleans())
    def follows(numbers: Numbers, lot: int, target: int | None, unix: bool) -> None:
        judge(kind, numbers, lot, target, unix)

    follows()


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_held_follows_the_number(kind: str) -> None:
    """Whatever numbers stand in the files, the most ever answered is their formula's."""

    @settings(max_examples=300, deadline=None)
    @given(NUMBERS, LOTS, st.booleans())
    def follows(numbers: Numbers, lot: int, unix: bool) -> None:
        ways = audited(stack(kind, numbers, lot, unix=unix))
        assert {found.holds.best for found in ways} == {expected(kind, numbers, unix)}

    follows()
