"""Several hosts behind an edge: each one's share with some lost, and what is refused."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.model.errors import BadInput, Impossible
from holdfast.model.front.checks import Checks
from holdfast.model.front.front import Front
from holdfast.model.front.upstreams import Upstream
from holdfast.model.path import Demand, Kind, Path
from holdfast.programs.catalog import path_walls
from holdfast.programs.hosts import cut
from holdfast.sizing.hosts import bear_pauses
from holdfast.sizing.layout import EdgeLayout, Layout, Program
from holdfast.sizing.path import size
from tests.sizing.test_law_1 import COSTS, LAYOUT, behind, host, profile

BOTH = pytest.mark.parametrize("program", ["nginx", "haproxy"])


def hosts(count: int, in_flight: int | None = None) -> tuple[Upstream, ...]:
    return tuple(Upstream(f"10.0.0.{n}:8000", in_flight=in_flight) for n in range(1, count + 1))


def layout(program: Program, front: Front) -> Layout:
    edge = behind(EdgeLayout(program, "", costs=COSTS, front=front))
    return Layout(profile("uvicorn"), LAYOUT.socket_end_bytes, edge=edge.edge)


def sized(program: Program, n: int, front: Front) -> Path:
    return size(Demand(n, (Kind("k", 1.0, 20.0),), burst=n // 10), host(), layout(program, front))


@BOTH
@given(n=st.integers(1, 28_000), count=st.integers(2, 9), spare=st.integers(0, 2))
def test_what_is_sized_holds_with_the_spare_hosts_lost(
    program: Program, n: int, count: int, spare: int
) -> None:
    """Every wall of the path holds N, all of which may have to go to one host by its ports."""
    front = Front(hosts=hosts(count), spare_hosts=min(spare, count - 1))
    path = sized(program, n, front)
    walls = path_walls(path, Demand(n, (Kind("k", 1.0, 20.0),), burst=n // 10))
    assert walls[0][1].sure >= n
    assert path.servers(path.hop("edge").links[0]) == count - front.spare_hosts
    share = path.hop("hosts").get("share")
    assert share is not None
    assert share.value == math.ceil(n / (count - front.spare_hosts))


@BOTH
def test_hosts_that_say_what_they_hold_bound_the_whole(program: Program) -> None:
    """Three of 2,000, one of which may be lost, hold 4,000; 4,001 is Impossible and says so."""
    front = Front(hosts=hosts(3, in_flight=2_000))
    walls = {
        (limit.hop, limit.resource): holds.sure
        for limit, holds in path_walls(
            sized(program, 4_000, front), Demand(4_000, (Kind("k", 1.0, 20.0),))
        )
    }
    assert walls["hosts", "requests"] == 4_000
    with pytest.raises(Impossible) as caught:
        sized(program, 4_001, front)
    assert (caught.value.resource, caught.value.fits) == ("requests", 4_000)


def test_ports_to_one_host_are_a_wall() -> None:
    """One address carries the port range at most: 28,232 to each of two hosts that are left."""
    with pytest.raises(Impossible) as caught:
        sized("haproxy", 60_000, Front(hosts=hosts(3)))
    assert caught.value.resource == "ports to hosts"
    assert sized("haproxy", 56_000, Front(hosts=hosts(3))).hop("edge").processes > 1


@BOTH
def test_what_a_cut_host_takes_is_its_share_and_idle_connections(program: Program) -> None:
    """Of 3,000 over three hosts: a third, one more a process, and as many as the edge keeps."""
    front = Front(hosts=hosts(3))
    wanted = Demand(3_000, (Kind("k", 1.0, 20.0),))
    edge = sized(program, 3_000, front).hop("edge")
    lost = cut(edge, front, wanted)
    pool = edge.get("keepalive" if program == "nginx" else "server_pool_max_conn")
    assert pool is not None
    assert lost.inside == 1_000 + edge.processes
    assert lost.sent == pool.number * edge.processes < 0.2 * lost.inside
    assert lost.told_s == (90 if program == "nginx" else 14)


@pytest.mark.parametrize(
    ("front", "says"),
    [
        (Front(hosts=hosts(1)), "1 of 1 hosts may be lost"),
        (Front(hosts=(*hosts(2), *hosts(1))), "10.0.0.1:8000 is named twice"),
        (Front(hosts=hosts(2), checks=Checks(path="/health")), "nginx asks nobody"),
        (Front(checks=Checks()), "nginx takes no worker out"),
        (Front(hosts=hosts(2), checks=Checks(interval=0)), "without a time"),
    ],
)
def test_what_cannot_be_meant_is_refused(front: Front, says: str) -> None:
    """With a fault that names it, its place and a hint."""
    with pytest.raises(BadInput, match=says) as caught:
        sized("nginx", 100, front)
    assert caught.value.place
    assert caught.value.hint


def test_workers_are_not_checked_by_connecting() -> None:
    """A worker's socket lets in whether it is well or not, so HAProxy is to be told a path."""
    with pytest.raises(BadInput, match="always lets in"):
        sized("haproxy", 100, Front(checks=Checks()))


def test_checks_bear_the_longest_pause_of_a_collector() -> None:
    """20,000 requests in one worker pause it for 1.4 s: 3 x 1 s bear it, 2 x 0.5 s do not."""
    bear_pauses(Front(checks=Checks(path="/")), 20_000)
    with pytest.raises(BadInput, match=r"for 1\.4 s") as caught:
        bear_pauses(Front(checks=Checks(path="/", timeout=0.5, fall=2)), 20_000)
    assert caught.value.hint == "set `timeout` to `1s` or more"
