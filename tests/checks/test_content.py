"""Law 1 through text, of an edge with files, pages, compression and kept answers."""

from __future__ import annotations

import msgspec
import pytest

from holdfast.checks.audit import audit
from holdfast.model.front.body import Body
from holdfast.model.front.cache import Cache
from holdfast.model.front.compression import Compression
from holdfast.model.front.errors import ErrorPage
from holdfast.model.front.files import Files
from holdfast.model.front.front import Front
from holdfast.model.path import Demand, Kind
from holdfast.sizing.layout import EdgeLayout, Program
from holdfast.sizing.path import size
from holdfast.writers.site import Site
from tests.checks.test_through_text import WRITERS, all_through_text, read_back, slots_of
from tests.sizing.test_law_1 import COSTS, behind, host

SMALL = Front(
    compression=Compression(),
    errors=(ErrorPage((503,), "/srv/busy.html"),),
    cache=Cache(("/a/",), 10.0, lock=False, stale=False, status=True),
)
FRONTS = {
    "nginx": msgspec.structs.replace(
        SMALL,
        body=Body(most=8 << 20, memory=65_536),
        files=(Files("/static/", "/srv/static", 60.0, immutable=True),),
        cache=Cache(("/a/", "/b/"), 10.0),
    ),
    "haproxy": SMALL,
}


@pytest.mark.parametrize("program", ["nginx", "haproxy"])
def test_what_is_written_holds_and_breaks_no_law(program: Program) -> None:
    """An audit of the rendered edge has no finding on any way, and is sure of the number."""
    front = FRONTS[program]
    asked = Demand(5_000, (Kind("any", 1.0, 20.0),), idle=500, burst=250)
    sized = size(asked, host(), behind(EdgeLayout(program, "", costs=COSTS, front=front)))
    hop = sized.hop("edge")
    files = WRITERS[program](hop, Site(("127.0.0.1:80",), slots_of(sized), front=front))
    paths = all_through_text(sized, read_back(files), sized.hosts[0])
    assert len(paths) == (2 if program == "nginx" else 1)  # kept, and passed on
    for path in paths:
        found = audit(path, asked, asked.in_flight)
        assert found.findings == ()
        assert found.holds.sure >= asked.in_flight
