"""Runs a stack for real: up to what is sure, and past its wall. Returns what was met; judges not.

An AssertionError says that the stack came to no rest: some request was nowhere for half a minute.
"""

from __future__ import annotations

import math
import os
import signal
from typing import NamedTuple

from holdfast.model.limit import Act
from holdfast.model.path import Spread
from tests.law3.crowd import CLOSED
from tests.law3.predictions import Wall
from tests.law3.pushed import Pushed, Stack, pushed

EXCESS = 12
"""Requests past the wall, one after the other; none of them may be let in."""


class Met(NamedTuple):
    """What a stack did past its wall.

    `held` were in flight when every request more was turned away, `most` ever were; what the others
    met, as acts and as statuses; `waited` of them had no answer then, `answered` got one in the
    end; `idle_left` idle clients were closed.
    """

    held: int
    most: int
    acts: frozenset[Act]
    statuses: frozenset[str]
    waited: int
    answered: int
    idle_left: int

    def record(self) -> dict[str, object]:
        """What was met as a result file has it."""
        acts = sorted(act.value for act in self.acts)
        return self._asdict() | {"acts": acts, "statuses": sorted(self.statuses)}


def failures(stack: Stack, count: int) -> dict[str, int]:
    """Hold so many requests at once, let all go, and return what became of those that failed."""
    with pushed(stack, may_wait=False) as clients:
        if stack.stopped:
            clients.stop_still()
        clients.open(count)
        if stack.stopped:
            place = clients.queues[0]
            clients.wait(
                lambda: clients.run.in_queue(place) + clients.crowd.failed == count,
                f"all {count} are in the queue",
            )
            clients.go_on()
        clients.settle()
        clients.finish()
        return {fate: n for fate, n in clients.crowd.fates.items() if fate != "200"}


def past(stack: Stack, wall: Wall) -> Met:
    """Push a stack past a wall, and return what was met."""
    with pushed(stack, may_wait=wall.may_wait) as clients:
        if stack.stopped and wall.limit.resource == "accept queue":
            return _past_queue(clients, wall)
        return _past_places(clients, wall)


def _past_places(clients: Pushed, wall: Wall) -> Met:
    """Push one by one, so that each request is seen to be let in or not."""
    limit, holds = wall.limit, wall.holds
    if limit.spread is Spread.RACE and limit.scopes > 1:
        _push_each(clients, clients.run.processes(limit.hop), holds.best)
    elif limit.spread is Spread.HASH and limit.scopes > 1:
        clients.open(2 * holds.best)
    else:
        connections = math.ceil(holds.best / clients.stack.streams)
        clients.open(min(holds.sure, holds.best - 2), connections=connections)
    clients.settle()
    _push_on(clients, holds.best)
    acts, statuses = clients.acts(), frozenset(clients.crowd.fates) - {CLOSED, "200"}
    idle_left = clients.idlers.left
    waited, held = clients.waiting(), clients.run.in_flight()
    if wall.acts == {Act.QUEUES}:
        _take_turns(clients, held)
    most = clients.run.ask().most
    clients.finish()
    answered = clients.crowd.fates["200"]
    return Met(held, most, frozenset(acts), statuses, waited, answered, idle_left)


def _take_turns(clients: Pushed, held: int) -> None:
    """Let three go: each that leaves lets one in that waits."""
    for _ in range(3):
        before = clients.run.ask().started
        clients.run.ask("one")
        clients.wait(lambda n=before: clients.run.ask().started > n, "one comes in")  # type: ignore[misc]
        clients.wait(lambda: clients.run.in_flight() == held, "no place stays free")


def _push_each(clients: Pushed, workers: list[int], best: int) -> None:
    """Fill each of the processes that race while the others stand still.

    Left alone, one that is full takes clients from one that is not, and fails them: where workers
    race, only the first process's share is sure.
    """
    for one in workers:
        for other in set(workers) - {one}:
            os.kill(other, signal.SIGSTOP)
        clients.open(math.ceil(best / len(workers)))
        clients.settle()
        _push_on(clients, best)
        for other in set(workers) - {one}:
            os.kill(other, signal.SIGCONT)


def _push_on(clients: Pushed, best: int) -> None:
    """Push one by one until many in a row were not let in, or far more were than was said."""
    turned_away = 0
    while turned_away < EXCESS and clients.run.in_flight() < best + EXCESS:
        before = clients.run.in_flight()
        clients.one_more()
        turned_away = 0 if clients.run.in_flight() > before else turned_away + 1


def _past_queue(clients: Pushed, wall: Wall) -> Met:
    """Who is stopped accepts nothing: those let in wait in its queue, the others meet the act."""
    over, retry = wall.holds.best + EXCESS, wall.limit.full.act is Act.RETRIES
    clients.stop_still()
    clients.open(over)
    place = clients.queues[0]

    def turned_away() -> int:
        return clients.crowd.unconnected if retry else clients.crowd.failed

    clients.wait(
        lambda: clients.run.in_queue(place) + turned_away() == over, "all are in or turned away"
    )
    held, acts = clients.run.in_queue(place), clients.acts() - {Act.QUEUES}
    acts |= {Act.RETRIES} if clients.crowd.unconnected else set()
    waited = turned_away() if retry else 0
    clients.go_on()
    clients.settle()
    most = clients.run.ask().most
    clients.finish()
    statuses = frozenset(clients.crowd.fates) - {CLOSED, "200"}
    answered = clients.crowd.fates["200"]
    return Met(held, most - waited, frozenset(acts), statuses, waited, answered, 0)
