"""An edge before three hosts, each in a network of its own: one of them is lost, and comes back.

Hosts are namespaces with a stack of two workers in each, the edge has one of its own.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable, Iterator

import msgspec
import pytest

from holdfast.load.fleet import Fleet
from holdfast.model.front.body import Body
from holdfast.model.front.checks import Checks
from holdfast.model.front.front import Front
from holdfast.model.front.upstreams import Upstream
from holdfast.model.path import Demand, Hop, Kind
from holdfast.programs.hosts import Cut, cut
from holdfast.sizing.edge import size_edge
from holdfast.sizing.hosts import left
from holdfast.sizing.layout import EdgeLayout, Program
from holdfast.stack.config import EdgeConfig, StackConfig
from holdfast.stack.limits import raise_nofile
from holdfast.stack.process import StackProcess
from tests.edges import BUSY, PROGRAMS, host
from tests.helpers import wait_until
from tests.load.servers import check_accounts, load_plan
from tests.stack.driving import Client, answered, config, crowd
from tests.stack.namespaces import Star, inside, needs_namespaces, star

pytestmark = [pytest.mark.slow, needs_namespaces]

PORT = 8_000
LATER = 300
"""Those of 2,000 that come after something has happened."""
MEAN_S = 2.0
CHECKS = Checks(path="/well", interval=0.2, timeout=0.3, rise=1, fall=2)
"""HAProxy finds out within 1 s, and TCP within 3."""
WANTED = Demand(BUSY, (Kind("k", 1.0, MEAN_S),), burst=BUSY)
both = pytest.mark.parametrize("program", PROGRAMS)


class Site(msgspec.Struct):
    """Hosts that serve, and the cables to them."""

    cables: Star
    stacks: list[StackProcess]

    def held(self) -> list[int]:
        """What each host has in flight."""
        return [stack.gauge.in_flight() for stack in self.stacks]

    def begun(self, at: int) -> int:
        """Requests that a host has started, checks among them."""
        return sum(row.started for row in self.stacks[at].gauge.read())


@contextlib.contextmanager
def serving(app: str, **fields: object) -> Iterator[Site]:
    """Three hosts that serve the app."""
    raise_nofile(2 * BUSY + 400)
    with star(3) as cables, contextlib.ExitStack() as undo:
        stacks = []
        for name, address in zip(cables.hosts, cables.addresses, strict=True):
            told = config(app, address=address, port=PORT, nofile=BUSY + 100, grace_s=0.1, **fields)
            stacks.append(undo.enter_context(StackProcess(told)))
            with inside(name):
                stacks[-1].start()
        for stack in stacks:
            stack.wait_until_ready(60)
        yield Site(cables, stacks)


@pytest.fixture(scope="module")
def whole() -> Iterator[Site]:
    """Hosts that nobody cuts off; their requests end when their clients say so."""
    with serving("held:app") as made:
        yield made


@contextlib.contextmanager
def before(site: Site, program: Program) -> Iterator[tuple[StackProcess, Cut]]:
    """The edge before the hosts; and what it is predicted to lose with one of them."""
    asked = CHECKS if program == "haproxy" else msgspec.structs.replace(CHECKS, path="")
    front = Front(
        body=Body(buffered=False),
        hosts=tuple(Upstream(f"{address}:{PORT}") for address in site.cables.addresses),
        checks=asked,
    )
    layout = EdgeLayout(program, "", grace_s=1.0, longest_s=3.0, front=front)
    hop: Hop = size_edge(WANTED, host(), layout, left(front))
    told = StackConfig(
        "", "", slots=0, grace_s=1.0, listen="slots", edge=EdgeConfig(hop, front=front)
    )
    with StackProcess(told) as stack:
        with inside(site.cables.middle):
            stack.start()
        stack.wait_until_ready(60)
        yield stack, cut(hop, front, WANTED)


@both
def test_a_host_that_is_cut_off_takes_what_it_holds(program: Program) -> None:
    """Exactly those inside it fail, none of those that come later does, and it is used again."""
    with (
        serving("held:app") as site,
        before(site, program) as (edge, predicted),
        inside(site.cables.middle),
    ):
        with crowd(edge.port, BUSY - LATER) as clients:
            wait_until(lambda: sum(site.held()) == BUSY - LATER)
            lost = site.held()[1]
            assert 0 < lost <= predicted.inside
            site.cables.cut(1)
            with crowd(edge.port, LATER) as later:
                assert answered(later) == LATER
            assert answered(clients) == BUSY - LATER - lost
        seen = site.begun(1)
        site.cables.heal(1)
        wait_until(lambda: is_used_again(edge, lambda: site.begun(1) > seen + 4))
        if program == "haproxy":
            address = f"{site.cables.addresses[1]}:{PORT}"
            wait_until(lambda: len(of_hosts(edge)) == 2)
            assert of_hosts(edge) == [("edge_host_down", address), ("edge_host_up", address)]


@contextlib.contextmanager
def holding(site: Site, program: Program) -> Iterator[tuple[StackProcess, list[Client]]]:
    """The edge before hosts that hold all but those that come later, and the clients of these."""
    with (
        before(site, program) as (edge, _),
        inside(site.cables.middle),
        crowd(edge.port, BUSY - LATER) as clients,
    ):
        wait_until(lambda: sum(site.held()) == BUSY - LATER)
        yield edge, clients


def of_hosts(edge: StackProcess) -> list[tuple[str, str]]:
    """What HAProxy has found out of hosts."""
    return [(e.kind, e.text) for e in edge.edge_events() if e.kind.startswith("edge_host_")]


def is_used_again(edge: StackProcess, used: Callable[[], bool]) -> bool:
    """Whether it is, after some requests more, all of which are answered."""
    with crowd(edge.port, 30) as clients:
        assert answered(clients) == 30
    return used()


@both
def test_a_worker_that_is_killed_takes_what_it_holds(program: Program, whole: Site) -> None:
    """Its kernel says so at once: what it held fails, and whoever comes next is answered."""
    with holding(whole, program) as (edge, clients):
        row = whole.stacks[2].gauge.read()[0]
        os.kill(row.pid, signal.SIGKILL)
        with crowd(edge.port, LATER) as later:
            assert answered(later) == LATER
        assert answered(clients) == BUSY - LATER - (row.started - row.finished)


@both
def test_a_host_that_stands_still_loses_nothing(program: Program, whole: Site) -> None:
    """Its workers are stopped, for HAProxy until it gives the host up; all are answered later."""
    with holding(whole, program) as (edge, clients):
        pids = [row.pid for row in whole.stacks[0].gauge.read()]
        send(pids, signal.SIGSTOP)
        try:
            if program == "haproxy":
                wait_until(lambda: of_hosts(edge))
                with crowd(edge.port, LATER) as later:
                    assert answered(later) == LATER
        finally:
            send(pids, signal.SIGCONT)
        assert answered(clients) == BUSY - LATER


def send(pids: list[int], number: signal.Signals) -> None:
    for pid in pids:
        os.kill(pid, number)


@both
def test_under_load_no_more_is_lost_than_was_predicted(program: Program) -> None:
    """2,000 clients that ask again: a host is cut off and healed, and what fails is bounded."""
    with (
        serving("timed:app", env={"TIMED_S": f"{MEAN_S:g}"}) as site,
        before(site, program) as (edge, predicted),
        inside(site.cables.middle),
        Fleet(load_plan(edge.port, path="/", clients=BUSY, processes=1)) as fleet,
    ):
        fleet.start()
        fleet.allow(BUSY, 0)
        wait_until(lambda: fleet.read().answered > BUSY // 2)
        inside_it = site.held()[1]
        site.cables.cut(1)
        wait_until(lambda: fleet.read().failed >= 0.9 * inside_it)
        told = fleet.read().answered
        wait_until(lambda: fleet.read().answered > told + BUSY // 2)
        site.cables.heal(1)
        seen = site.begun(1)
        wait_until(lambda: site.begun(1) > seen + 100)
        totals = fleet.let_go(30.0)
        check_accounts(totals)
        assert totals.unfinished == 0
        assert 0 < totals.failed <= predicted.requests
