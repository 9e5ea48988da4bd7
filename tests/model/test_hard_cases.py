"""The five cases that the model must get right, with values typed in: no program is needed."""

from __future__ import annotations

from typing import Literal

import pytest
from msgspec.structs import replace

from holdfast.model.chance import fullest
from holdfast.model.holding import budget, holds, walls
from holdfast.model.limit import Act, Full, Holds, Limit, Scope
from holdfast.model.path import Count, Demand, Kind, Spread, Use

PLAIN = Demand(1_000, (Kind("plain", 1.0, 8.0),))


def limit(
    resource: str,
    capacity: float,
    *,
    per_request: float,
    scopes: int = 1,
    own: float = 0.0,
    per_idle: float = 0.0,
    yields: bool = False,
    onset: float = 1.0,
    spread: Spread = Spread.ONLY,
    act: Act = Act.CLOSES,
    room: int = 0,
    bounds: Literal["in_flight", "rate"] = "in_flight",
    servers: int = 0,
) -> Limit:
    """A limit with everything that a case does not speak of left plain."""
    return Limit(
        "hop",
        resource,
        Scope.PROCESS,
        scopes,
        bounds,
        capacity,
        own,
        per_request,
        per_idle,
        yields,
        onset,
        spread,
        Full(act, room),
        "the program",
        (),
        "",
        servers,
    )


def nginx(connections: int, processes: int, *, listeners: int = 1) -> Limit:
    """nginx `worker_connections` over HTTP/1.1: two a request, one a listener and one its own."""
    return limit(
        "worker_connections",
        connections,
        own=1 + listeners,
        per_request=2,
        per_idle=1,
        yields=True,
        onset=15 / 16,
        scopes=processes,
        spread=Spread.RACE if processes > 1 else Spread.ONLY,
    )


def test_nginx_before_gevent_breaks_at_nginx_and_then_queues() -> None:
    """nginx 2 x 768 before gunicorn gevent 4 x 1,000: 359 sure, 718 onset, 766 best; then 4,000."""
    gevent = limit(
        "worker_connections",
        1_000,
        per_request=1,
        scopes=4,
        spread=Spread.LEAVES,
        act=Act.QUEUES,
        room=2_048,
    )

    first, second = walls((gevent, nginx(768, 2)), PLAIN)

    assert first[1] == Holds(sure=359, onset=718, best=766)
    assert second[1] == Holds(sure=4_000, onset=4_000, best=4_000)
    assert second[0].full.act is Act.QUEUES


def test_one_nginx_process_holds_what_was_measured() -> None:
    """nginx 1 x 1,024: 511 best, trouble from 479 on; 1 and 3 listeners on 100: 49 and 48."""
    assert holds(nginx(1_024, 1), PLAIN) == Holds(sure=478, onset=479, best=511)
    assert holds(nginx(100, 1), PLAIN).best == 49
    assert holds(nginx(100, 1, listeners=3), PLAIN).best == 48
    assert holds(nginx(200, 1), PLAIN).best == 99


def test_requests_that_come_together_are_hashed_as_one() -> None:
    """What a connection carries falls on one process, so that less of the total is sure."""
    alone = limit("places", 1_000, per_request=1, scopes=2, spread=Spread.HASH)
    by_ten = replace(alone, together=10)
    assert holds(alone, PLAIN).best == holds(by_ten, PLAIN).best == 2_000
    assert fullest(holds(alone, PLAIN).sure, 2, PLAIN.miss) == 1_000
    assert 10 * fullest(holds(by_ten, PLAIN).sure // 10, 2, PLAIN.miss) == 1_000
    assert holds(by_ten, PLAIN).sure < holds(alone, PLAIN).sure


@pytest.mark.parametrize(("streams", "per_request"), [(1, 2.0), (10, 1.1), (100, 1.01)])
def test_haproxy_counts_each_process_for_itself(streams: int, per_request: float) -> None:
    """k processes with 4 servers of `maxconn` 100 hold k x 400; h2 backends share sockets."""
    processes, maxconn, servers = 2, 100, 4
    server = limit(
        "server maxconn",
        maxconn * servers,
        per_request=1,
        scopes=processes,
        spread=Spread.HASH,
        act=Act.QUEUES,
        room=1_000,
    )
    maxsock = limit(
        "maxsock", 4_000, own=20, per_request=1 + 1 / streams, scopes=processes, spread=Spread.HASH
    )

    assert holds(server, PLAIN).best == 800
    assert holds(server, PLAIN).sure < 800
    assert holds(maxsock, PLAIN).best == 2 * int(3_980 / per_request)
    assert walls((maxsock, server), PLAIN)[0][0].full == Full(Act.QUEUES, room=1_000)


def test_a_fleet_is_sized_at_its_lowest_and_budgeted_at_its_highest() -> None:
    """Three hosts of 8 workers x (20 + 50), grown to 12 (+ 1): 7,280 connections against 97."""
    fleet = Count(low=3, high=12, surge=1)
    pools = budget(fleet, processes=8, per_process=20 + 50)

    assert pools == 7_280
    assert pools > 100 - 3
    assert budget(Count(low=3, high=12), 1, 20 + 5) > 97 >= budget(fleet, 1, 7)

    edge = nginx(768, 2)
    hosts = limit("nginx on each host", 766, per_request=2, onset=15 / 16, scopes=fleet.low)
    assert holds(hosts, PLAIN).best == 3 * holds(edge, PLAIN).best / 2


def test_a_pool_bounds_a_rate_and_nothing_is_refused() -> None:
    """Long polls hold no pool: 20 connections carry 28 % of N long before utilisation reaches 1."""
    polls = Kind("poll", 0.3, 30.0)
    queries = Kind("query", 0.7, 0.05, (Use("database", 1, 0.05),))
    demand = Demand(10_000, (polls, queries))
    at_once, unit_s = demand.uses("database")
    pool = limit(
        "pool",
        20,
        per_request=unit_s,
        act=Act.SLOWS,
        bounds="rate",
        servers=20,
    )

    found = holds(pool, demand)

    assert demand.mean_time_s == pytest.approx(9.035)
    assert unit_s == pytest.approx(0.035)
    assert at_once == pytest.approx(0.035 / 9.035)
    assert found.best == int(20 / 0.035 * 9.035)
    assert 0.5 * found.best < found.sure < found.onset < found.best


def test_idle_clients_yield_to_nginx_and_hold_haproxy() -> None:
    """60 idle clients on 100 connections: nginx closes them and holds 49, HAProxy holds 40."""
    demand = Demand(100, (Kind("plain", 1.0, 8.0),), idle=60)
    haproxy = limit("maxconn", 100, per_request=1, per_idle=1, act=Act.QUEUES)

    assert holds(nginx(100, 1), demand).best == 49
    assert holds(nginx(100, 1), demand).onset == 45
    assert holds(haproxy, demand).best == 40
