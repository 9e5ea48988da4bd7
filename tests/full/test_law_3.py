"""Law 3: what the model says of an edge is what the real program does, written down beforehand.

Requests that wait are counted where they wait, so that each is accounted for at every step.
"""

from __future__ import annotations

import math
import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from random import Random

import msgspec
import pytest

from holdfast.model.limit import Act, Holds, Limit
from holdfast.model.path import Path, Spread, find
from holdfast.model.values import Source, Value
from holdfast.programs.catalog import path_walls
from tests.helpers import wait_until
from tests.law3.crowd import CLOSED, Crowd
from tests.law3.running import Running, running
from tests.law3.stacks import KINDS, STACKS, Stack
from tests.law3.streams import StreamsClient

MISSING = [name for name in ("nginx", "haproxy", "setpriv") if shutil.which(name) is None]
EXCESS = 12
"""Requests past the wall, one after the other; none of them may be let in."""

pytestmark = [
    pytest.mark.full,
    pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}"),
]


class Pushed:
    """Clients of a running stack, and where each of their requests is."""

    def __init__(self, stack: Stack, limit: Limit, run: Running, own: ExitStack) -> None:
        self.stack, self.run = stack, run
        self._may_wait = Act.QUEUES in {limit.full.act, *limit.full.also}
        self.crowd = own.enter_context(Crowd(run.address))
        self.idlers = own.enter_context(Crowd(run.address))
        self._streams: list[StreamsClient] = []
        self.asked = 0
        self.idlers.ask(stack.idle, "/now", stays=True)
        self.wait(lambda: self.idlers.fates["200"] == stack.idle, "idle clients have their answer")

    def wait(self, condition: object, what: str) -> None:
        """Serve the clients until the condition holds."""

        def once() -> object:
            self.crowd.step()
            self.idlers.step()
            return condition()  # type: ignore[operator]

        try:
            wait_until(once, what=what)
        except AssertionError as late:
            raise AssertionError(f"{late}: {self}") from late

    @property
    def slack(self) -> int:
        """What may be above `best`: one where a stream more needs no connection more."""
        return int(self.stack.streams > 1)

    def open(self, count: int, *, connections: int = 0) -> None:
        """Send so many requests, as many on a connection as the stack says."""
        self.asked += count
        if self.stack.streams == 1:
            self.crowd.ask(count)
            return
        connections = connections or math.ceil(count / self.stack.streams)
        for n in range(connections):
            each = count // connections + (n < count % connections)
            self._streams.append(StreamsClient(self.crowd, "/", each))
            self.crowd.step()

    def one_more(self) -> None:
        """Send one request and wait until it is somewhere."""
        if self.stack.streams == 1:
            self.open(1)
        else:
            self.asked += 1
            self._streams[self.asked % len(self._streams)].more()
        self.settle()

    def settle(self) -> None:
        """Wait until each request is in the app, answered, or counted where it waits."""
        self.wait(lambda: self.accounted() == self.asked, f"all {self.asked} are accounted for")

    def accounted(self) -> int:
        """Requests whose place is known; to wait is none where nobody is to wait for long."""
        waiting = self.run.waiting_at_edge() if self._may_wait else 0
        return self.run.in_flight() + self.crowd.failed + waiting

    def stop_still(self) -> None:
        """Stop who is to stand still, once nothing is left to accept."""
        places = self.run.servers if self.stack.stopped == "app" else self.run.listens
        self.wait(lambda: not sum(map(self.run.in_queue, places)), "nothing waits")
        self.run.signal(self.stack.stopped, signal.SIGSTOP)

    def acts(self) -> set[Act]:
        """What those met that were not let in."""
        found = {Act.QUEUES} if self.run.waiting_at_edge() else set()
        closed = self.crowd.fates[CLOSED]
        found |= {Act.CLOSES} if closed else set()
        found |= {Act.REFUSES} if self.crowd.failed > closed else set()
        return found

    def finish(self) -> None:
        """Let all go: whoever waits gets the answer."""
        self.run.ask("all")
        self.wait(lambda: self.crowd.waiting == 0, "all that wait are answered")

    def __str__(self) -> str:
        waiting, fates = self.run.waiting_at_edge(), dict(self.crowd.fates)
        return f"{self.run.ask()}, {waiting} wait at the edge, {fates}; {self.run.log()}"


@contextmanager
def pushed(stack: Stack, limit: Limit) -> Iterator[Pushed]:
    """A stack that runs, with its clients."""
    with ExitStack() as own:
        run = own.enter_context(running(stack.path, stack.demand(100)))
        yield Pushed(stack, limit, run, own)


def predicted(stack: Stack) -> tuple[tuple[Limit, Holds], ...]:
    """The walls of a stack, narrowest first."""
    return path_walls(stack.path, stack.demand(100))


def drawn(name: str, seed: int) -> Stack:
    """The stack of that name, its settings drawn by lot."""
    return STACKS[name](Random(f"{seed} {name}"))


def raised(path: Path, limit: Limit) -> Path:
    """The path with nothing changed but the setting that the narrowest limit names first."""
    named = limit.inputs[0]
    more = named.number * 4 if named.setting != "port_high" else named.number + 300
    value = Value(named.setting, int(more), Source.WRITTEN, "raised")
    replace = msgspec.structs.replace
    hosts = tuple(
        replace(host, values=(*host.values, value)) if find(host.values, named.setting) else host
        for host in path.hosts
    )
    hops = tuple(
        replace(hop, values=(*hop.values, value)) if hop.name == limit.hop else hop
        for hop in path.hops
    )
    return replace(path, hosts=hosts, hops=hops)


def check_sure(stack: Stack, limit: Limit, sure: int) -> None:
    """No request of `sure` fails or waits."""
    with pushed(stack, limit) as clients:
        if stack.stopped:
            clients.stop_still()
        clients.open(sure)
        if stack.stopped:
            places = clients.run.servers if stack.stopped == "app" else clients.run.listens
            clients.wait(lambda: clients.run.in_queue(places[0]) == sure, "all are in the queue")
            clients.run.signal(stack.stopped, signal.SIGCONT)
        clients.wait(lambda: clients.run.in_flight() == sure, f"all {sure} are in flight")
        assert clients.crowd.failed == 0, str(clients)
        clients.finish()
        assert clients.crowd.fates == {"200": sure}


def check_wall(stack: Stack, limit: Limit, holds: Holds) -> None:
    """At most `best` are in flight, and the next request meets the act."""
    with pushed(stack, limit) as clients:
        if stack.stopped and limit.resource == "accept queue":
            check_queue(clients, limit, holds)
        else:
            check_places(clients, limit, holds)


def check_places(clients: Pushed, limit: Limit, holds: Holds) -> None:
    """Push one by one, so that each request is seen to be let in or not."""
    if limit.spread is Spread.RACE and limit.scopes > 1:
        push_each(clients, holds.best)
    elif limit.spread is Spread.HASH and limit.scopes > 1:
        clients.open(2 * holds.best)
    else:
        connections = math.ceil(holds.best / clients.stack.streams)
        clients.open(min(holds.sure, holds.best - 2), connections=connections)
    clients.settle()
    push_on(clients, holds.best)
    slack = limit.scopes
    assert holds.best - slack <= clients.run.in_flight() <= holds.best + clients.slack, str(clients)
    check_act(clients, limit)
    check_idle(clients, limit)
    check_drained(clients, limit, holds)


def check_drained(clients: Pushed, limit: Limit, holds: Holds) -> None:
    """Each that leaves lets one in and no more, and in the end whoever waited is answered."""
    waiting, held = clients.run.waiting_at_edge(), clients.run.in_flight()
    only_waits = limit.full.act is Act.QUEUES and not limit.full.also
    for _ in range(3 * only_waits):
        before = clients.run.ask().started
        clients.run.ask("one")
        clients.wait(lambda n=before: clients.run.ask().started > n, "one comes in")
        clients.wait(lambda: clients.run.in_flight() == held, "no place stays free")
    assert clients.run.ask().most <= holds.best + clients.slack
    clients.finish()
    assert clients.crowd.fates["200"] >= held + waiting * only_waits


def push_each(clients: Pushed, best: int) -> None:
    """Fill each worker process while the others stand still.

    Left alone, one that is full takes clients from one that is not, and fails them: where workers
    race, only the first process's share is sure.
    """
    workers = clients.run.edge_workers()
    for one in workers:
        for other in set(workers) - {one}:
            os.kill(other, signal.SIGSTOP)
        clients.open(math.ceil(best / len(workers)))
        clients.settle()
        push_on(clients, best)
        for other in set(workers) - {one}:
            os.kill(other, signal.SIGCONT)


def push_on(clients: Pushed, best: int) -> None:
    """Push one by one until many in a row were not let in, and never more than `best` were."""
    turned_away = 0
    while turned_away < EXCESS:
        before = clients.run.in_flight()
        clients.one_more()
        turned_away = 0 if clients.run.in_flight() > before else turned_away + 1
        assert clients.run.in_flight() <= best + clients.slack, str(clients)


def check_act(clients: Pushed, limit: Limit) -> None:
    """What they met is the act, or stands beside it; a refusal is the status that was told."""
    acts = clients.acts()
    assert limit.full.act in acts, f"{limit.full} {clients}"
    assert acts <= {limit.full.act, *limit.full.also}, f"{limit.full} {clients}"
    if limit.full.act is Act.REFUSES:
        statuses = set(clients.crowd.fates) - {CLOSED, "200"}
        assert statuses == {limit.full.told[:3]}, f"{limit.full} {clients}"


def check_idle(clients: Pushed, limit: Limit) -> None:
    """Idle clients were closed where they give way, and only there."""
    if clients.stack.idle:
        assert (clients.idlers.left > 0) == limit.yields, f"{clients.idlers.left} {clients}"


def check_queue(clients: Pushed, limit: Limit, holds: Holds) -> None:
    """Who is stopped accepts nothing: `best` wait in its queue, the others meet the act."""
    who, over = clients.stack.stopped, holds.best + EXCESS
    clients.stop_still()
    clients.open(over)
    if limit.full.act is Act.RETRIES:
        clients.wait(lambda: clients.crowd.unconnected == EXCESS, f"{EXCESS} are not let in")
        assert clients.run.in_queue(clients.run.listens[0]) == holds.best
    else:
        clients.wait(lambda: clients.crowd.failed == EXCESS, f"{EXCESS} are turned away")
        check_act(clients, limit)
    clients.run.signal(who, signal.SIGCONT)
    let_in = over if limit.full.act is Act.RETRIES else holds.best
    clients.wait(lambda: clients.run.in_flight() == let_in, f"{let_in} are in flight")
    clients.finish()
    assert clients.crowd.fates["200"] == let_in


def test_there_are_three_stacks_of_each_kind() -> None:
    """Eight kinds of wall have three stacks or more each."""
    assert len(KINDS) == 8
    assert all(len(stacks) >= 3 for stacks in KINDS.values())


@pytest.mark.parametrize("name", STACKS)
def test_the_wall_is_where_it_was_predicted(name: str, seed: int) -> None:
    """Up to `sure` nothing fails; `best` is the most ever held; the next request meets the act."""
    stack = drawn(name, seed)
    if stack.path.hosts[0].get("port_low") and os.geteuid() != 0:
        pytest.skip("a network of its own needs root")
    (limit, holds), (after, _), *_ = predicted(stack)
    print(f"{name}: {limit.resource} {holds} {limit.full}, then {after.resource}")
    assert limit.resource == stack.wall

    check_sure(stack, limit, holds.sure)
    check_wall(stack, limit, holds)


@pytest.mark.parametrize("name", STACKS)
def test_raising_the_narrowest_moves_the_wall_to_the_next(name: str, seed: int) -> None:
    """With nothing but the named setting raised, the wall that was named second is met."""
    stack = drawn(name, seed)
    if stack.path.hosts[0].get("port_low") and os.geteuid() != 0:
        pytest.skip("a network of its own needs root")
    (first, _), *later = predicted(stack)
    second = next(wall for wall in later if wall[0].inputs[0].setting != first.inputs[0].setting)
    wider = stack._replace(path=raised(stack.path, first))
    (limit, holds), *_ = predicted(wider)
    print(f"{name}: {limit.resource} {holds} {limit.full}")
    assert (limit.hop, limit.resource, holds) == (second[0].hop, second[0].resource, second[1])

    check_wall(wider, limit, holds)
