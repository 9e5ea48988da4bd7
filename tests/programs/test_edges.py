"""The edges' limits by typed-in values: what was measured elsewhere, and what later versions do."""

from __future__ import annotations

import msgspec
import pytest

from holdfast.model.holding import UNLIMITED, holds
from holdfast.model.limit import Act, Holds, Limit
from holdfast.model.path import (
    Count,
    Demand,
    Hop,
    Host,
    Kind,
    Link,
    Path,
    Protocol,
    Spread,
)
from holdfast.model.values import Scalar, Value, assumed
from holdfast.programs import haproxy, haproxy_rows, nginx, nginx_rows
from holdfast.programs.catalog import path_limits
from holdfast.programs.rows import Setting, effective, parts

PLAIN = Demand(1_000, (Kind("plain", 1.0, 8.0),))


def told(**settings: Scalar) -> tuple[Value, ...]:
    """Values that a case was told."""
    return tuple(assumed(name, value, "the case says so") for name, value in settings.items())


def edge(
    program: str,
    version: str = "",
    *,
    processes: int = 1,
    streams: float = 1.0,
    host: tuple[Value, ...] = (),
    **settings: Scalar,
) -> Path:
    """An edge before four slots over unix sockets."""
    idle = assumed("idle_s", 60, "the case needs none")
    link = Link("app", Protocol.UNIX, streams, Spread.LEAST, idle, idle)
    return Path(
        (Host("here", Count(), 2, 2**34, host),),
        (
            Hop("edge", program, version, "here", processes, told(**settings), (link,)),
            Hop("app", "uvicorn", "", "here", 4),
        ),
    )


def limit(path: Path, resource: str, demand: Demand = PLAIN) -> Limit:
    """The edge's limit of a resource; fails where there is none or more than one."""
    (found,) = (
        limit
        for limit in path_limits(path, demand)
        if (limit.hop, limit.resource) == ("edge", resource)
    )
    return found


@pytest.mark.parametrize(
    ("processes", "connections", "best"), [(2, 768, 766), (1, 1_024, 511), (1, 100, 49)]
)
def test_nginx_holds_what_the_guides_were_measured_to(
    processes: int, connections: int, best: int
) -> None:
    """Two workers of 768 answer 766, one of 1,024 answers 511."""
    path = edge("nginx", processes=processes, worker_connections=connections)
    assert holds(limit(path, "worker_connections"), PLAIN).best == best


def test_an_unset_setting_has_the_programs_default() -> None:
    """Without a word nginx has 512 connections a worker, and HAProxy half of its descriptors."""
    assert limit(edge("nginx"), "worker_connections").capacity == 512
    path = edge("haproxy", host=told(nofile_hard=20_000), nbthread=1, stats_sockets=1)
    assert limit(path, "maxconn").capacity == 9_987  # as 2.6.12 prints for these


def test_unlimited_descriptors_leave_haproxy_unlimited() -> None:
    """Where nothing says what descriptors there are, no `maxconn` is made up."""
    assert not [found for found in path_limits(edge("haproxy"), PLAIN) if found.hop == "edge"]


@pytest.mark.parametrize(
    ("row", "before", "old", "since", "new"),
    [
        (nginx_rows.KEEPALIVE, "1.28.0", None, "1.29.7", 32),
        (nginx_rows.PROXY_HTTP_VERSION, "1.28.0", "1.0", "1.30.0", "1.1"),
        (nginx_rows.MAX_HEADERS, "1.28.0", None, "1.29.8", 1_000),
        (haproxy_rows.FD_HARD_LIMIT, "2.6.12-1+deb12u4", None, "3.2.1", 1_048_576),
    ],
)
def test_a_default_is_that_of_the_version(
    row: Setting, before: str, old: Scalar | None, since: str, new: Scalar
) -> None:
    """A default that changed is the old one before, and the new one from its version on."""
    assert effective(Hop("edge", "any", before, "here", 1), row).value == old
    assert effective(Hop("edge", "any", since, "here", 1), row).value == new
    assert effective(Hop("edge", "any", "", "here", 1), row).value == old


def test_every_changed_default_says_where_it_was_read() -> None:
    """What could not be run is marked: a change is of a later version than the one that was."""
    for rows in (nginx_rows, haproxy_rows):
        changes = [change for row in rows.ROWS for change in row.changes]
        assert changes
        assert all(change.read_in for change in changes)
        assert all(parts(change.since) > parts(rows.RUN) for change in changes)


def test_http_2_to_the_workers_shares_connections() -> None:
    """Ten streams on an upstream connection make a request cost 1.1 descriptors."""
    path = edge("haproxy", streams=10, maxconn=1_000, nbthread=1)
    assert limit(path, "descriptors").per_request == pytest.approx(1.1)


def test_clients_keep_to_the_streams_that_they_are_allowed() -> None:
    """500 requests a connection are asked for; nginx lets 128, HAProxy 100 through at once."""
    demand = Demand(1_000, PLAIN.kinds, streams=500)
    assert limit(edge("nginx"), "worker_connections", demand).per_request == 1 + 1 / 128
    assert limit(edge("haproxy", maxconn=50), "maxconn", demand).per_request == 1 / 100


def test_haproxy_2_8_allows_clients_other_streams_than_servers() -> None:
    """What clients alone are allowed goes before what both ends are."""
    path = edge("haproxy", maxconn=50, tune_h2_fe_max_concurrent_streams=20)
    demand = Demand(1_000, PLAIN.kinds, streams=500)
    assert limit(path, "maxconn", demand).per_request == 1 / 20


def test_nginx_may_be_told_to_keep_idle_clients() -> None:
    """From 1.27.4 on a least idle time takes idle clients off those that give way."""
    demand = Demand(100, PLAIN.kinds, idle=60)
    gives, keeps = (
        limit(edge("nginx", worker_connections=122, **told), "worker_connections", demand)
        for told in ({}, {"keepalive_min_timeout_s": 10})
    )
    assert (holds(gives, demand).best, holds(keeps, demand).best) == (60, 30)


def queue_behind(program: str, servers: int, **settings: Scalar) -> Limit:
    """The edge's answer for the accept queue of a burst's servers over TCP."""
    path = edge(program, maxconn=5_000, **settings)
    (front, app) = path.hops
    link = msgspec.structs.replace(front.links[0], protocol=Protocol.TCP)
    front = msgspec.structs.replace(front, links=(link,))
    app = msgspec.structs.replace(app, processes=servers, values=told(backlog=100))
    demand = Demand(1_000, PLAIN.kinds, burst=1_000)
    (found,) = (
        limit
        for limit in path_limits(Path(path.hosts, (front, app)), demand)
        if (limit.hop, limit.resource) == ("app", "accept queue")
    )
    return found


def test_an_edge_whose_patience_is_short_refuses_where_a_queue_is_full() -> None:
    """A try that ends before the kernel's second SYN never connects: 504 and 503, else a retry."""
    hasty = [
        queue_behind("nginx", 1, proxy_connect_timeout_s=1.0).full,
        queue_behind("haproxy", 1, timeout_connect_s=0.5, retries=1).full,
    ]
    patient = [
        queue_behind("nginx", 1, proxy_connect_timeout_s=1.5).full,
        queue_behind("haproxy", 1, timeout_connect_s=1.5, retries=1).full,
        queue_behind("haproxy", 1).full,
    ]
    assert [(full.act, full.for_s, full.told[:3]) for full in hasty] == [
        (Act.REFUSES, 1.0, "504"),
        (Act.REFUSES, 1.0, "503"),
    ]
    assert [(full.act, full.for_s) for full in patient] == [
        (Act.RETRIES, 1.5),
        (Act.RETRIES, 3.0),
        (Act.RETRIES, float("inf")),
    ]


def test_a_full_queue_takes_a_server_out_where_there_are_more() -> None:
    """`max_fails` is said of several servers, of none where it is 0, and never of a single one."""
    told = [
        queue_behind("nginx", servers, max_fails=fails).full.told
        for servers, fails in ((2, 1), (2, 0), (1, 1))
    ]
    assert ["max_fails" in text for text in told] == [True, False, False]


def test_a_wall_says_how_many_wait_behind_it() -> None:
    """Sockets' queues before nginx and HAProxy, and in HAProxy what `maxconn` leaves."""
    cut = told(somaxconn=200)
    nginx = edge("nginx", processes=2, host=cut, nofile=101, reuseport=True)
    haproxy = edge("haproxy", processes=2, host=cut, maxconn=500, server_maxconn=30)
    assert limit(nginx, "descriptors").full.room == 2 * 201
    assert limit(haproxy, "maxconn").full.room == 2 * 201
    assert limit(haproxy, "server_maxconn").full.room == 2 * (500 - 4 * 30)
    few = edge("haproxy", maxconn=500, frontend_maxconn=200, server_maxconn=30)
    assert limit(few, "server_maxconn").full.room == 200 - 4 * 30


def test_an_observed_count_of_descriptors_goes_before_a_counted_one() -> None:
    """Nine of its own are counted for nginx with an access log, unless they were seen."""
    assert limit(edge("nginx", nofile=100), "descriptors").own == 9
    assert limit(edge("nginx", nofile=100, own_descriptors=12), "descriptors").own == 12


@pytest.mark.parametrize("processes", [1, 2])
def test_the_last_place_of_an_odd_number_goes_to_a_client(processes: int) -> None:
    """Of 100 connections a worker leaves 98, and closes the next client; of 101 it answers 500."""
    even, odd = (
        limit(edge("nginx", processes=processes, worker_connections=most), "worker_connections")
        for most in (100, 101)
    )
    assert (even.full.act, even.full.also) == (Act.CLOSES, (Act.REFUSES,))
    assert (odd.full.act, odd.full.also) == (Act.REFUSES, (Act.CLOSES,))


def test_patience_decides_whether_a_request_waits_for_a_server() -> None:
    """A queue that is left before a request ends refuses; without any timeout it waits."""
    waits = limit(edge("haproxy", server_maxconn=10, maxconn=100), "server_maxconn").full
    path = edge("haproxy", server_maxconn=10, maxconn=100, timeout_queue_s=5)
    refuses = limit(path, "server_maxconn").full
    assert (waits.act, waits.for_s) == (Act.QUEUES, float("inf"))
    assert (refuses.act, refuses.for_s) == (Act.REFUSES, 5)


def test_a_large_body_goes_to_a_file_and_a_small_one_to_memory() -> None:
    """With a buffer of 10 MB 50,000 bodies of 1 MB stay in memory; with 16 KiB they fill a disk."""
    demand = Demand(50_000, (Kind("upload", 1.0, 8.0, body_bytes=10**6),))
    small, large = (
        edge("nginx", host=told(disk_available=10**10), client_body_buffer_size=size)
        for size in (16_384, 10**7)
    )
    assert nginx.buffered(small.hop("edge"), demand) == (16_384, 10**6, 1)
    assert nginx.buffered(large.hop("edge"), demand) == (10**6, 0, 0)
    assert holds(limit(small, "temporary files", demand), demand).best == 10_000
    assert limit(edge("nginx", nofile=100), "descriptors", demand).per_request == 3


def test_temporary_files_are_open_files_of_the_host() -> None:
    """A body that fills a file takes one more of the host's open files, and one in memory none."""
    upload = Demand(100, (Kind("upload", 1.0, 8.0, body_bytes=10**6),))

    def opened(size: int) -> float:
        path = edge("nginx", host=told(file_max=10**6), client_body_buffer_size=size)
        path = msgspec.structs.replace(
            path, hops=(*path.hops, Hop("kernel", "kernel", "", "here", 1))
        )
        (files,) = (each for each in path_limits(path, upload) if each.resource == "open files")
        return files.per_request

    assert (opened(16_384), opened(10**7)) == (4, 3)


def test_answers_fill_buffers_and_then_a_file_unless_told_not_to() -> None:
    """Of 100 KB 36 KiB are kept in memory and the rest in a file; unbuffered, one page is kept."""
    demand = Demand(100, (Kind("page", 1.0, 8.0, answer_bytes=100_000),))
    kept = nginx.buffered(edge("nginx").hop("edge"), demand)
    passed = nginx.buffered(edge("nginx", proxy_buffering=False).hop("edge"), demand)
    assert kept == (36_864, 100_000 - 36_864, 1)
    assert passed == (4_096, 0, 0)
    assert haproxy.buffered(edge("haproxy").hop("edge"), demand) == (16_384, 0, 0)


def test_haproxy_processes_count_each_for_itself() -> None:
    """Two processes with two servers' worth of `maxconn` hold twice as many at best."""
    path = edge("haproxy", processes=2, maxconn=1_000, server_maxconn=50)
    found = holds(limit(path, "server_maxconn"), PLAIN)
    assert found.best == 2 * 4 * 50
    assert found.sure < found.onset == 400


def test_max_conns_in_a_zone_counts_for_all_workers() -> None:
    """Four servers of 50: 200 with a zone, and 200 a worker process without one."""
    apart = edge("nginx", processes=2, max_conns=50)
    zone = edge("nginx", processes=2, max_conns=50, zone=True)
    assert holds(limit(apart, "max_conns"), PLAIN) == Holds(200, 400, 400)
    assert holds(limit(zone, "max_conns"), PLAIN) == Holds(199, 200, 200)


def test_idle_clients_stay_with_the_edge() -> None:
    """Workers behind an edge keep their descriptors for requests, however many clients idle."""
    demand = Demand(100, PLAIN.kinds, idle=60)
    (behind,) = (
        found
        for found in path_limits(edge("nginx"), demand)
        if (found.hop, found.resource) == ("app", "descriptors")
    )
    assert (behind.per_request, behind.per_idle) == (1, 0)
    assert holds(behind, demand).best == UNLIMITED
