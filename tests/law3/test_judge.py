"""The judge of law 3 by typed-in runs: it lets the predicted one pass and complains of others."""

from __future__ import annotations

from typing import Any

import pytest

from holdfast.model.holding import holds
from holdfast.model.limit import Act, Full
from holdfast.model.path import Path
from holdfast.programs.rows import counted
from tests.law3.judge import complaints
from tests.law3.measure import Met
from tests.law3.predictions import Wall
from tests.law3.stacks import Stack

USUAL = Stack("places", Path((), ()))


def wall(full: Full, *, yields: bool = False) -> Wall:
    """A wall of fifty requests in one process."""
    limit = counted(
        "edge",
        "places",
        capacity=50,
        per_request=1,
        yields=yields,
        full=full,
        enforcer="a test",
        inputs=(),
        formula="typed in",
    )
    return Wall(limit, holds(limit, USUAL.demand(100)))


REFUSES = wall(Full(Act.REFUSES, told="503"))
EITHER = wall(Full(Act.CLOSES, also=(Act.REFUSES,)))
WAITS, YIELDS = wall(Full(Act.QUEUES)), wall(Full(Act.REFUSES, told="503"), yields=True)
IDLE = USUAL._replace(idle=5)


def met(act: Act, **changes: Any) -> Met:
    """Fifty were held and the others met an act; with changes."""
    statuses = frozenset({"503"} if act is Act.REFUSES else ())
    waited = 12 if act is Act.QUEUES else 0
    return Met(50, 50, frozenset({act}), statuses, waited, 50 + waited, 0)._replace(**changes)


@pytest.mark.parametrize(
    ("stack", "wall", "met"),
    [
        (USUAL, REFUSES, met(Act.REFUSES)),
        (USUAL, REFUSES, met(Act.REFUSES, held=49, most=49)),
        (USUAL, EITHER, met(Act.CLOSES)),
        (USUAL, EITHER, met(Act.CLOSES, acts=frozenset({Act.CLOSES, Act.REFUSES}))),
        (USUAL, WAITS, met(Act.QUEUES)),
        (USUAL._replace(streams=10), REFUSES, met(Act.REFUSES, held=51, most=51)),
        (IDLE, YIELDS, met(Act.REFUSES, idle_left=3)),
        (IDLE, REFUSES, met(Act.REFUSES)),
    ],
)
def test_what_was_said_is_no_complaint(stack: Stack, wall: Wall, met: Met) -> None:
    """One fewer a process, one more over HTTP/2 and an act that stands beside are as predicted."""
    assert complaints(stack, wall, met) == []


@pytest.mark.parametrize(
    ("stack", "wall", "met", "says"),
    [
        (USUAL, REFUSES, met(Act.REFUSES, held=48), "48 were held"),
        (USUAL, REFUSES, met(Act.REFUSES, held=51, most=50), "51 were held"),
        (USUAL, REFUSES, met(Act.REFUSES, most=51), "51 were in flight once"),
        (USUAL, EITHER, met(Act.REFUSES), "met ['refuses']"),
        (USUAL, EITHER, met(Act.CLOSES, acts=frozenset({Act.CLOSES, Act.QUEUES})), "queues"),
        (USUAL, REFUSES, met(Act.REFUSES, statuses=frozenset({"502"})), "told ['502']"),
        (USUAL, WAITS, met(Act.QUEUES, answered=61), "12 waited, and 61 were answered"),
        (IDLE, YIELDS, met(Act.REFUSES), "0 idle clients were closed"),
        (IDLE, REFUSES, met(Act.REFUSES, idle_left=1), "1 idle clients were closed"),
    ],
)
def test_what_was_not_said_is_a_complaint(stack: Stack, wall: Wall, met: Met, says: str) -> None:
    """Too few, too many, another act, another status, a lost turn, idle clients: one each."""
    (found,) = complaints(stack, wall, met)
    assert says in found
