"""What edges are told of websockets and event streams: accepted by the programs, where asked."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from holdfast.model.errors import BadInput
from holdfast.model.front.front import Front
from holdfast.model.front.upgrades import Streams, Websockets
from holdfast.readers.project import read_project
from holdfast.sizing.edge import size_edge
from holdfast.sizing.layout import EdgeLayout, Program
from holdfast.writers.site import Site
from tests.edges import PROGRAMS, demand, host
from tests.writers.test_edges import SLOTS, WRITERS, check

ASKED = Front(
    websockets=Websockets(paths=("/ws/", "/live"), idle=90.0),
    streams=Streams(paths=("/events", "/live"), idle=3_600.0),
)

PATHS = ("/", "/ws/", "/live", "/events")


def text_of(program: Program, front: Front, port: int = 1) -> str:
    """The first file of an edge that does this for its site."""
    hop = size_edge(demand(), host(), EdgeLayout(program, "", front=front), len(SLOTS))
    files = WRITERS[program](hop, Site((f"127.0.0.1:{port}",), SLOTS, front=front))
    return next(iter(files.values()))


def block(text: str, path: str) -> str:
    """What stands in nginx's location of the path."""
    return text.partition(f"location {path} {{")[2].partition("}")[0]


@pytest.mark.slow
@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("everywhere", [False, True])
def test_the_program_accepts_it(
    program: Program, everywhere: bool, tmp_path: Path, free_port: int
) -> None:
    """Paths of each kind, one that is both, and all paths, pass the program's own test."""
    front = ASKED
    if everywhere:
        front = Front(websockets=Websockets(paths=("/",)), streams=Streams(paths=("/",)))
    (tmp_path / "edge").mkdir()
    file = tmp_path / "edge" / "a.conf"
    file.write_text(text_of(program, front, free_port))
    judged = check(program, file)
    assert (judged.returncode, "emerg" in judged.stderr) == (0, False), judged.stderr
    assert "[WARNING]" not in judged.stderr


def test_nginx_passes_upgrades_only_where_asked() -> None:
    """Websockets' locations alone send `Upgrade`, streams' alone are unbuffered, others neither."""
    text = text_of("nginx", ASKED)
    upgrades = {path: "Upgrade $upgrade_to" in block(text, path) for path in PATHS}
    assert upgrades == {"/": False, "/ws/": True, "/live": True, "/events": False}
    at_once = {path: "proxy_buffering off" in block(text, path) for path in PATHS}
    assert at_once == {"/": False, "/ws/": False, "/live": True, "/events": True}
    waits = {path: block(text, path).partition("proxy_read_timeout ")[2][:5] for path in PATHS}
    assert waits == {"/": "90s;\n", "/ws/": "90s;\n", "/live": "90s;\n", "/events": "3600s"}


@pytest.mark.parametrize("program", ["nginx", "haproxy"])
def test_nothing_is_said_where_nothing_is_asked_for(program: Program) -> None:
    """A plain edge upgrades nothing and has no timeout for it."""
    text = text_of(program, Front())
    assert not any(word in text for word in ("websocket_", "tunnel", "$upgrade", "set-timeout"))


def test_haproxy_says_whose_upgrade_goes_on_and_how_long_silence_may_last() -> None:
    """One rule drops all other upgrades; websockets have the tunnel's timeout, streams another."""
    lines = [line.strip() for line in text_of("haproxy", ASKED).splitlines()]
    assert "acl websocket_path path_beg /ws/ /live" in lines
    (drop,) = (line for line in lines if "del-header Upgrade" in line)
    assert " unless websocket_path websocket_alone " in drop
    assert "timeout tunnel 90s" in lines
    assert "http-request set-timeout server 3600s if { path_beg /events /live }" in lines


@pytest.mark.parametrize(
    ("key", "value"),
    [("paths", ["ws/"]), ("paths", ["/a b"]), ("paths", ['/";']), ("paths", "/ws/"), ("idle", "x")],
)
def test_a_path_that_is_none_is_refused(key: str, value: object) -> None:
    """A path begins with a slash, and has nothing in it that ends a line of a program's file."""
    told = f"[edge.websockets]\n{key} = {json.dumps(value)}\n"
    with pytest.raises(BadInput, match=rf"edge\.websockets\.{key}"):
        read_project(told, "holdfast.toml")
