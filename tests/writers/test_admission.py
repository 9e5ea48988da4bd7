"""What the edges' files say of places: accepted by the real programs, and read as it was meant."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.checks.audit import audit
from holdfast.model.errors import Impossible
from holdfast.model.front.admission import Admission
from holdfast.model.path import Demand, Hop, Kind
from holdfast.programs.catalog import path_walls
from holdfast.sizing.admission import ACTS, with_room
from holdfast.sizing.layout import EdgeLayout, Program
from holdfast.sizing.path import size
from holdfast.writers.site import Site
from tests.checks.test_through_text import read_back, slots_of, through_text
from tests.edges import PROGRAMS, demand
from tests.sizing.test_law_1 import EDGES, behind, demands, host, narrowest
from tests.writers.test_edges import SLOTS, WRITERS, check

WAITS = pytest.mark.parametrize("wait", [0.0, 0.25, 5.0])
HEALTH = ("/health", "/live/now")


def sized(program: Program, wait: float | None) -> Hop:
    """An edge for 2,000 in flight whose next requests wait so long."""
    told = Admission(wait=wait, retry_after=1.5, health=HEALTH)
    layout = msgspec.structs.replace(behind(EdgeLayout(program, "")), admission=told)
    return size(demand(), host(), layout).hop("edge")


def text(program: Program, wait: float | None, health: tuple[str, ...] = HEALTH) -> dict[str, str]:
    site = Site(("127.0.0.1:10240",), SLOTS, health=health)
    return WRITERS[program](sized(program, wait), site)


@pytest.mark.slow
@WAITS
@pytest.mark.parametrize("program", PROGRAMS)
def test_the_program_accepts_it(program: Program, wait: float, tmp_path: Path) -> None:
    """With health paths and without, the file passes the program's own test without a warning."""
    folder = tmp_path / "edge"
    folder.mkdir()
    for health in (HEALTH, ()):
        for name, said in text(program, wait, health).items():
            (folder / name).write_text(said)
            judged = check(program, folder / name)
            assert (judged.returncode, "emerg" in judged.stderr) == (0, False), judged.stderr
            assert "[WARNING]" not in judged.stderr
            assert max(map(len, said.splitlines())) <= 100


@pytest.mark.parametrize("program", ["nginx", "haproxy"])
def test_nothing_stands_where_nothing_was_asked_for(program: Program) -> None:
    """Without a wait no file speaks of places."""
    for said in text(program, None).values():
        assert "no place" not in said
        assert "health" not in said


@pytest.mark.parametrize(("wait", "acts"), [(0.0, True), (5.0, False)])
def test_nginx_counts_only_where_nobody_waits(wait: float, acts: bool) -> None:
    """It has no line: where requests are to wait, the workers' places act, and it lets all pass."""
    (said,) = text("nginx", wait).values()
    assert ("limit_conn places" in said) is acts
    assert ('/health "";' in said) is acts


@settings(max_examples=40, deadline=None)
@given(
    demands,
    st.sampled_from((0.0, 0.5, 5.0)),
    st.sampled_from(EDGES),
    st.sampled_from((HEALTH, ())),
)
def test_what_is_sized_holds_with_room_for_those_that_wait(
    asked: Demand, wait: float, edge: EdgeLayout | None, health: tuple[str, ...]
) -> None:
    """Law 1: one limit keeps N, the others have room; 5 % less of that one, and N is not sure."""
    layout = msgspec.structs.replace(behind(edge), admission=Admission(wait=wait, health=health))
    try:
        path = size(asked, host(), layout)
    except Impossible:
        return
    sure, with_less = narrowest(path, asked)
    assert sure >= asked.in_flight > with_less
    walls = path_walls(path, asked)
    ((acting, kept),) = [wall for wall in walls if wall[0].resource in ACTS]
    room = with_room(asked, layout.admission)
    for limit, held in path_walls(path, room):
        assert limit.resource == acting.resource or held.sure >= room.in_flight
        if limit.bounds == "in_flight" and limit.scopes == acting.scopes == 1:
            assert limit.resource == acting.resource or held.best > kept.best + acting.full.room


@pytest.mark.parametrize("program", ["nginx", "haproxy"])
@pytest.mark.parametrize("wait", [0.0, 0.5, 5.0])
@pytest.mark.parametrize("health", [HEALTH, ()])
def test_it_is_read_as_it_was_meant(program: Program, wait: float, health: tuple[str, ...]) -> None:
    """Laws 1 and 2: the same numbers come back from the text, and an audit of it finds nothing."""
    told = Admission(wait=wait, health=health)
    edge = next(one for one in EDGES if one and one.program == program)
    layout = msgspec.structs.replace(behind(edge), admission=told)
    asked = demand(50_000, burst=500, kinds=(Kind("k", 1.0, 50.0),))
    path = size(asked, host(), layout)
    site = Site(("127.0.0.1:80",), slots_of(path), health=health)
    reads = read_back(WRITERS[program](path.hop("edge"), site))
    seen = through_text(path, reads, path.hosts[0])
    for setting in ("limit_conn", "limit_conn_status", "server_maxconn", "queue_room"):
        sized_as = path.hop("edge").get(setting)
        if sized_as is not None:
            assert seen.hop("edge").get(setting).value == sized_as.value, setting
    if program == "haproxy":
        assert seen.hop("edge").get("timeout_queue_s").value == (wait or 1)
    found = audit(seen, asked, asked.in_flight)
    assert found.findings == ()
    assert found.holds.sure >= asked.in_flight
