"""Law 1 through text: what is sized, written and read again holds, and breaks no law."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings

from holdfast.checks.audit import audit
from holdfast.model.errors import Impossible
from holdfast.model.path import Demand, Path, Protocol
from holdfast.model.values import assumed
from holdfast.programs.catalog import completed
from holdfast.readers.address import address
from holdfast.readers.contract import Around, Found, Listen, Processes, Read, Reader
from holdfast.readers.haproxy import READER as HAPROXY
from holdfast.readers.join import join
from holdfast.readers.nginx import READER as NGINX
from holdfast.readers.text import Given, Text
from holdfast.sizing.layout import EdgeLayout
from holdfast.sizing.path import size
from holdfast.writers import haproxy, nginx
from holdfast.writers.site import Site
from tests.sizing.test_law_1 import COSTS, EDGES, behind, demands, host

READERS: dict[str, Reader] = {"nginx": NGINX, "haproxy": HAPROXY}
WRITERS = {"nginx": nginx.render, "haproxy": haproxy.render}
GIVEN = {"nofile", *(cost.setting for cost in COSTS)}
"""What no file of an edge says: what it is given at its start, and what was measured of it."""


def through_text(sized: Path) -> Path:
    """The path whose edge is what its files say."""
    edge = next(hop for hop in sized.hops if hop.program in READERS)
    workers = sized.hop("workers")
    slots = tuple(f"/run/slot-{number}.sock" for number in range(workers.processes))
    files = WRITERS[edge.program](edge, Site(("127.0.0.1:80",), slots, ()))
    edges = [READERS[edge.program].read(Text(*file), Given()) for file in files.items()]
    assert all(read.problems == () for read in edges)
    place = edges[0].hops[0].listens[0].place
    each = Processes(0, 1, assumed("processes", 1, "one a slot"))
    apps = tuple(
        Found("workers", "uvicorn", each, (), (Listen(address(slot), Protocol.HTTP_1, place),))
        for slot in (f"unix:{slot}" for slot in slots)
    )
    given = tuple(value for value in edge.values if value.setting in GIVEN)
    around = (Around("started", edge.program, given),)
    (way,) = join([*edges, Read(apps, around=around)], sized.hosts[0], {edge.program: edge.version})
    assert way.path.unjoined == ()
    read = next(hop for hop in way.path.hops if hop.program == edge.program)
    links = tuple(
        msgspec.structs.replace(old, spread=new.spread, streams=new.streams)
        for old, new in zip(edge.links, read.links, strict=True)
    )
    read = completed(msgspec.structs.replace(read, name=edge.name, host=edge.host, links=links))
    assert read.processes == edge.processes
    hops = tuple(read if hop is edge else hop for hop in sized.hops)
    return msgspec.structs.replace(sized, hops=hops)


@pytest.mark.slow
@pytest.mark.parametrize("edge", EDGES[1:], ids=("nginx", "haproxy"))
def test_what_is_written_holds_and_breaks_no_law(edge: EdgeLayout) -> None:
    """An audit of the rendered files has no finding, and is sure of the number."""

    @settings(max_examples=25, deadline=None)
    @given(demands)
    def holds(asked: Demand) -> None:
        try:
            sized = size(asked, host(), behind(edge))
        except Impossible:
            return
        found = audit(through_text(sized), asked, asked.in_flight)
        assert found.findings == ()
        assert found.holds.sure >= asked.in_flight

    holds()
