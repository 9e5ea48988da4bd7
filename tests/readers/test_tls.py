"""TLS of a sized edge is read back, and an audit of its files has the same numbers."""

from __future__ import annotations

import pytest

from holdfast.model.front.front import Front
from holdfast.model.front.tls import Tls
from holdfast.model.path import Protocol
from holdfast.readers.amounts import remembered
from holdfast.readers.text import Given, Text
from holdfast.sizing.edge import size_edge
from holdfast.sizing.layout import EdgeLayout, Program
from holdfast.writers.site import Site
from tests.edges import demand, host
from tests.readers.test_round_trip import READERS, SLOTS, WRITERS, everything


@pytest.mark.parametrize("tickets", [True, False])
@pytest.mark.parametrize("http2", [True, False])
@pytest.mark.parametrize("program", ["nginx", "haproxy"])
def test_a_sized_edge_over_tls_is_read_back(program: Program, http2: bool, tickets: bool) -> None:
    """Each value of the hop is what its file says; the port speaks TLS and, if it may, HTTP/2."""
    tls = Tls("chain.pem", "key.pem", http2=http2, tickets=tickets, redirect=80, hsts=60.0)
    front = Front(tls=tls)
    hop = size_edge(demand(), host(20_000), EdgeLayout(program, "", front=front), len(SLOTS))
    site = Site(("127.0.0.1:443",), SLOTS, front=front, redirect=("127.0.0.1:80",))
    for name, text in WRITERS[program](hop, site).items():
        read = READERS[program].read(Text(name, text), Given())
        (found,) = read.hops
        told = everything(found)
        for value in hop.values:
            assert told[value.setting].value == pytest.approx(value.value), value.setting
        speaks = {listen.address.port: listen for listen in found.listens}
        assert speaks[443].protocol is (Protocol.HTTP_2 if http2 else Protocol.HTTP_1)
        assert [value.value for value in speaks[443].values if value.setting == "ssl"] == [True]
        assert not [value for value in speaks[80].values if value.setting == "ssl"]
        assert read.problems == ()


@pytest.mark.parametrize(
    ("text", "bytes_"),
    [
        ("shared:tls:10m", 10 * 2**20),
        ("builtin:1000 shared:SSL:1m", 2**20),
        ("builtin", 0),
        ("off", 0),
        ("none", 0),
    ],
)
def test_what_nginx_remembers_is_counted(text: str, bytes_: int) -> None:
    """Only memory that the workers share has a size that is said."""
    assert remembered(text) == bytes_


@pytest.mark.parametrize("text", ["", "shared", "shared:tls", "shared::1m", "on", "shared:a:b"])
def test_what_is_no_cache_is_refused(text: str) -> None:
    """A value that nginx would not take is a fault."""
    with pytest.raises(ValueError, match="is wanted"):
        remembered(text)
