"""Whom an edge believes about its clients: what is refused before anything is written."""

from __future__ import annotations

import json

import pytest

from holdfast.model.errors import BadInput
from holdfast.model.front.clients import PROXY_PROTOCOL, Clients
from holdfast.readers.project import read_project
from holdfast.writers import haproxy_clients, nginx_clients


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("trusted", ["10.0.0.0/33"], "`10.0.0.0/33` is no network"),
        ("trusted", ["10.0.0.1/8"], "has host bits set"),
        ("trusted", ["balancer.example"], "is no network"),
        ("trusted", ["10.0.0.0/8; evil on"], "is no network"),
        ("header", "Forwarded", "RFC 7239"),
        ("header", "X-A: b", "header"),
        ("header", "", "header"),
    ],
)
def test_what_cannot_be_meant_is_refused(key: str, value: object, told: str) -> None:
    """A network that is none, and a header that neither program takes an address from."""
    with pytest.raises(BadInput, match=told) as caught:
        read_project(f"[edge.clients]\n{key} = {json.dumps(value)}\n", "holdfast.toml")
    assert "edge.clients" in caught.value.fault


def test_without_trust_nothing_is_read() -> None:
    """The default believes nobody, by either protocol."""
    for clients in (Clients(), Clients(header=PROXY_PROTOCOL)):
        assert nginx_clients.believing(clients) == haproxy_clients.believing(clients) == []
        assert nginx_clients.listening(clients) == ""
