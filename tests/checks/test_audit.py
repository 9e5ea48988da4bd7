"""What an audit says of whole paths: figures that were measured, law 1, and what mends a path."""

from __future__ import annotations

import random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.checks.audit import audit
from holdfast.checks.mend import changes_for, edited
from holdfast.model.errors import Impossible
from holdfast.model.finding import Edit
from holdfast.model.limit import Holds
from holdfast.model.path import Demand, Path, Protocol
from holdfast.model.values import Place, Source
from holdfast.programs.catalog import completed
from holdfast.sizing.layout import EdgeLayout
from holdfast.sizing.path import size
from tests.checks.paths import demand, gunicorn, haproxy, link, linked, nginx, path, values
from tests.sizing.test_law_1 import EDGES, behind, demands
from tests.sizing.test_law_1 import host as measured_host


def guide(processes: int = 2, **told: bool) -> Path:
    """DigitalOcean's settings: Debian's nginx before 4 gevent workers over TCP, all defaults."""
    tcp = link("app", Protocol.TCP, 60, 60)
    edge = completed(linked(nginx(processes, **told), tcp))
    return path(edge, completed(gunicorn(4, worker_connections=1_000)))


def test_the_digitalocean_settings_on_two_cores() -> None:
    """Two nginx processes of 768 connections are the wall: 766 at best, as was measured."""
    found = audit(guide(), demand())
    narrowest = found.narrowest
    assert found.holds == Holds(359, 718, 766)
    assert narrowest is not None
    limit, value = narrowest
    assert value is not None
    assert (limit.hop, value.setting, value.value) == ("edge", "worker_connections", 768)
    assert value.place is not None
    assert (value.place.file, value.place.line) == ("nginx.conf", 2)


def test_the_next_wall_is_gunicorns() -> None:
    """On 16 cores nginx holds more than gunicorn's 4 x 1,000, which is then the most."""
    found = audit(guide(16), demand())
    most = min(found.walls, key=lambda wall: wall[1].best)[0]
    assert (found.holds.best, most.hop, most.resource) == (4_000, "app", "worker_connections")


def test_a_path_that_takes_both_shows_both() -> None:
    """Beside HTTP/1.1 stands what HTTP/2 holds, and the other way round."""
    assert audit(guide(), demand()).other_ways == ()
    one = audit(guide(http2=True), demand())
    many = audit(guide(http2=True), demand(streams=50.0))
    assert [streams for streams, _ in one.other_ways] == [128]
    assert one.other_ways[0][1].best > 1.9 * one.holds.best
    assert many.other_ways == ((1.0, one.holds),)
    assert 1_480 <= many.holds.best <= 1_516


def test_what_the_answer_rests_on_is_said() -> None:
    """Values that no file states, and that a wall is made of, are among the assumed."""
    found = audit(guide(), demand())
    told = {value.setting: value.source for value in found.assumed}
    assert told["port_low"] is Source.ASSUMED
    assert "worker_connections" not in told


@settings(max_examples=15)
@given(demands, st.sampled_from(EDGES))
def test_no_finding_on_what_is_sized(asked: Demand, edge: EdgeLayout | None) -> None:
    """Law 1: sizing and checking agree; what is sized holds, and breaks no law."""
    try:
        sized = size(asked, measured_host(), behind(edge))
    except Impossible:
        return
    found = audit(sized, asked, asked.in_flight)
    assert found.findings == ()
    assert found.holds.sure >= asked.in_flight


NUMBERS = st.integers(1, 5_000)


@settings(max_examples=30)
@given(st.integers(1, 16), NUMBERS, NUMBERS, st.integers(1, 100_000), st.sampled_from((1.0, 20.0)))
def test_a_mended_path_holds(
    processes: int, connections: int, most: int, in_flight: int, streams: float
) -> None:
    """Law 1: the changes that are proposed make any path of nginx and gunicorn hold the number."""
    front = nginx(processes, worker_connections=connections + 10, worker_rlimit_nofile=1_024)
    seen = path(completed(front), gunicorn(2, worker_connections=most, nofile=1_024))
    mended = changes_for(seen, demand(in_flight, streams=streams, burst=in_flight // 20))
    assert mended.left == ()
    assert mended.after.holds.sure >= in_flight


@settings(max_examples=15)
@given(NUMBERS, st.integers(1, 50_000))
def test_a_mended_haproxy_holds(maxconn: int, in_flight: int) -> None:
    """HAProxy's maxconn and descriptors grow together."""
    seen = path(haproxy(maxconn=maxconn, nofile=4_096), gunicorn(2, worker_connections=100))
    mended = changes_for(seen, demand(in_flight))
    assert mended.left == ()
    assert mended.after.holds.sure >= in_flight


def test_what_no_value_mends_is_left() -> None:
    """50,000 sync workers are no answer: a finding says so, and the rest is changed."""
    seen = path(nginx(), gunicorn(4, worker_class="sync"))
    mended = changes_for(seen, demand(50_000))
    assert [finding.code for finding in mended.left] == ["HF104"]
    assert {change.value.setting for change in mended.changes} >= {"worker_connections"}


def test_ports_that_no_range_has_are_left() -> None:
    """Over TCP one address never carries 100,000: the hint names a unix socket."""
    front = linked(nginx(worker_connections=400_000), link("app", Protocol.TCP))
    mended = changes_for(path(front, gunicorn(worker_connections=60_000)), demand(100_000))
    assert [finding.code for finding in mended.left] == ["HF103"]
    assert "unix socket" in mended.left[0].hint


@given(st.permutations(range(3)), st.integers(2, 9_000), st.integers(0, 2**31))
def test_answers_follow_the_formula_and_not_the_file(
    order: list[int], connections: int, lot: int
) -> None:
    """Hops in another order and files with other names break the same laws."""
    hops = (
        nginx(worker_connections=connections, keepalive=0, worker_rlimit_nofile=1_000),
        gunicorn(40, worker_class="asgi", worker_connections=7, backlog=9_000),
        gunicorn(1, name="other", worker_class="sync", timeout_s=120),
    )
    told = audit(path(*hops), demand(500), 500)
    names = random.Random(lot)
    moved = path(*(renamed(hops[index], f"{names.random()}.conf") for index in order))
    again = audit(moved, demand(500), 500)
    assert sorted(f.code for f in told.findings) == sorted(f.code for f in again.findings)
    assert told.holds == again.holds


def renamed(hop, file: str):  # type: ignore[no-untyped-def]
    """The hop as another file states it."""
    told = {value.setting: value.value for value in hop.values}
    return msgspec.structs.replace(hop, values=values(file, told))


def test_only_the_named_spans_change() -> None:
    """Replacements and an insertion behind one of them leave every other byte."""
    text = b"worker_processes 2;\nevents { worker_connections 768; }\n"
    at = text.index(b"768")
    edits = (
        Edit(Place("n", 1, 17, 18), "4"),
        Edit(Place("n", 1, 18, 18), ";\nworker_rlimit_nofile 9000"),
        Edit(Place("n", 2, at, at + 3), "8000"),
    )
    new = b"worker_processes 4;\nworker_rlimit_nofile 9000;\nevents { worker_connections 8000; }\n"
    assert edited({"n": text, "other": b""}, edits) == {"n": new}


def test_overlapping_changes_are_refused() -> None:
    """Two replacements of one span are a fault of ours, not a file of theirs."""
    edits = (Edit(Place("n", 1, 0, 3), "a"), Edit(Place("n", 1, 2, 4), "b"))
    with pytest.raises(ValueError, match="overlap"):
        edited({"n": b"12345"}, edits)
