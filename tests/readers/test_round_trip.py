"""What is written is read back: setting by setting, and what it holds is the same through text."""

from __future__ import annotations

from random import Random

import pytest

from holdfast.model.path import Hop, Path, Protocol
from holdfast.model.values import Value, assumed
from holdfast.programs import haproxy_rows, nginx_rows
from holdfast.programs.catalog import path_walls
from holdfast.programs.rows import effective
from holdfast.readers.address import address
from holdfast.readers.contract import Around, Found, Listen, Processes, Read, Reader
from holdfast.readers.haproxy import READER as HAPROXY
from holdfast.readers.join import join
from holdfast.readers.nginx import READER as NGINX
from holdfast.readers.text import Given, Text
from holdfast.sizing.edge import size_edge
from holdfast.sizing.layout import EdgeLayout, Program
from holdfast.writers import haproxy, nginx
from holdfast.writers.site import Balance, Site
from tests.edges import demand, host
from tests.law3 import texts
from tests.law3.stacks import STACKS, Stack

READERS: dict[str, Reader] = {"nginx": NGINX, "haproxy": HAPROXY}
WRITERS = {"nginx": nginx.render, "haproxy": haproxy.render}
SLOTS = ("slot-0.sock", "slot-1.sock", "slot-2.sock")
BALANCES: tuple[Balance, ...] = ("least", "round_robin", "hash", "random_two")
SEEDS = range(5)


def everything(found: Found) -> dict[str, Value]:
    """Each setting that a reading says, on its first way."""
    values = (*found.values, *found.listens[0].values, *found.dials[0].values)
    made = {value.setting: value for value in values}
    return made | {"worker_processes": found.processes.value}


@pytest.mark.parametrize("balance", BALANCES)
@pytest.mark.parametrize("program", ["nginx", "haproxy"])
def test_a_sized_edge_is_read_back(program: Program, balance: Balance) -> None:
    """Each value of the sized hop is what its file says, and each slot is dialled."""
    hop = size_edge(demand(), host(20_000), EdgeLayout(program, ""), len(SLOTS))
    site = Site(("127.0.0.1:1",), SLOTS, ("spare.sock",), balance=balance)
    for name, text in WRITERS[program](hop, site).items():
        read = READERS[program].read(Text(name, text), Given())
        (found,) = read.hops
        told = everything(found)
        for value in hop.values:
            if value.setting in told:
                assert told[value.setting].value == pytest.approx(value.value), value.setting
        assert {value.setting for value in hop.values} - set(told) == set()
        active = [one.address.path for one in found.dials[0].servers if not one.backup]
        assert active == list(SLOTS)
        assert read.problems == ()


def around(hop: Hop) -> Around:
    """What a stack's edge is given by who starts it."""
    given = tuple(value for value in hop.values if value.setting == "nofile")
    return Around("started", hop.program, given)


def through_text(stack: Stack) -> Path:
    """The stack's path, from the text of its edge."""
    edge, app = stack.path.hop("edge"), stack.path.hop("app")
    rows = {"nginx": nginx_rows, "haproxy": haproxy_rows}[edge.program]
    listens = [f"127.0.0.1:{80 + n}" for n in range(int(effective(edge, rows.LISTENERS).number))]
    over = "/run/app{}.sock" if edge.links[0].protocol is Protocol.UNIX else "127.0.0.1:{}"
    servers = [over.format(9_000 + n) for n in range(app.processes)]
    written = {"nginx": texts.nginx, "haproxy": texts.haproxy}[edge.program]
    text = written(stack.path, stack.demand(1), listens, servers)
    read = READERS[edge.program].read(Text("edge.conf", text), Given())
    place = read.hops[0].listens[0].place
    apps = tuple(
        Found(
            "app",
            app.program,
            Processes(0, 1, assumed("processes", 1, "one a socket")),
            app.values,
            (Listen(address(server), Protocol.HTTP_1, place),),
        )
        for server in servers
    )
    started = edge.processes if edge.program == "haproxy" else 1  # one file each, alike
    reads = [*[read] * started, Read(apps, around=(around(edge),))]
    way = join(reads, stack.path.hosts[0], {edge.program: edge.version})[0]
    return way.path


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", STACKS)
def test_a_stack_of_law_3_holds_the_same_through_its_text(name: str, seed: int) -> None:
    """Every wall of the path that is read has the numbers of the one that was written."""
    stack = STACKS[name](Random(seed))
    asked = stack.demand(100)
    read = through_text(stack)
    assert read.unjoined == ()
    walls = [
        sorted(
            (limit.resource, holds, limit.full.act.value)
            for limit, holds in path_walls(path, asked)
        )
        for path in (stack.path, read)
    ]
    assert walls[0] == walls[1]
