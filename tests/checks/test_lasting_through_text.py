"""What is written for websockets, streams of events and trusted balancers breaks no law."""

from __future__ import annotations

import msgspec
import pytest

from holdfast.checks.audit import audit
from holdfast.model.front.clients import Clients
from holdfast.model.front.front import Front
from holdfast.model.front.upgrades import Streams, Websockets
from holdfast.model.path import Demand, Kind
from holdfast.sizing.layout import EdgeLayout
from holdfast.sizing.path import size
from holdfast.writers.site import Site
from tests.checks.test_through_text import WRITERS, all_through_text, read_back, slots_of
from tests.sizing.test_law_1 import EDGES, behind, host

LASTING = Front(
    websockets=Websockets(paths=("/ws/", "/live"), idle=600.0),
    streams=Streams(paths=("/events", "/live"), idle=3_600.0),
    clients=Clients(trusted=("10.0.0.0/8",)),
)
WAITS = {
    "nginx": ("proxy_read_timeout_s", {90.0, 600.0, 3_600.0}),
    "haproxy": ("timeout_tunnel_s", {600.0}),
}


@pytest.mark.parametrize("edge", EDGES[1:3], ids=("nginx", "haproxy"))
def test_each_way_of_what_lasts_breaks_no_law(edge: EdgeLayout) -> None:
    """An audit has no finding: each of nginx's locations is a way that holds the number, and waits
    as long as it was told to."""
    asked = Demand(2_000, (Kind("items", 1.0, 10.0),), burst=400)
    sized = size(asked, host(), behind(msgspec.structs.replace(edge, front=LASTING)))
    site = Site(("127.0.0.1:80",), slots_of(sized), front=LASTING)
    files = WRITERS[edge.program](sized.hop("edge"), site)
    setting, waits = WAITS[edge.program]
    told = set()
    for path in all_through_text(sized, read_back(files), sized.hosts[0]):
        found = audit(path, asked, asked.in_flight)
        assert found.findings == ()
        assert found.holds.sure >= asked.in_flight
        value = path.hop("edge").get(setting)
        told.add(value and value.value)
    assert told == waits
