"""The arithmetic of an edge: what each process needs, how many there are, what is Impossible."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.model.chance import fullest
from holdfast.model.front.front import Front
from holdfast.model.front.upstreams import Upstream
from holdfast.model.path import Demand, Hop, Kind
from holdfast.programs import haproxy, nginx
from holdfast.sizing.edge import size_edge
from holdfast.sizing.layout import EdgeLayout, Program
from holdfast.sizing.operating import SPARE_FACTOR
from tests.edges import BUSY, demand, host

SIZES = st.integers(1, 200_000)
FILES = st.sampled_from((4_096, 20_000, 1_048_576))


def number(hop: Hop, setting: str) -> int:
    value = hop.get(setting)
    assert value is not None
    return int(value.number)


def on_fullest(in_flight: int, processes: int) -> int:
    """Requests of one process's own, and of another one's clients that come back."""
    if processes == 1:
        return in_flight + 1
    own = fullest(in_flight, processes, 1e-9)
    return min(own + fullest(own, processes, 1e-9), in_flight)


def sized(program: Program, n: int, nofile: int = 20_000, **fields: float) -> Hop:
    wanted = Demand(n, (Kind("k", 1.0, 20.0),), **fields)  # type: ignore[arg-type]
    return size_edge(wanted, host(nofile), EdgeLayout(program, ""), 8)


@given(SIZES, FILES)
def test_nginx_stays_below_its_onset(in_flight: int, nofile: int) -> None:
    """The fullest worker's connections are at most 15/16 of what is left, and barely so."""
    hop = sized("nginx", in_flight, nofile)
    each = on_fullest(in_flight, hop.processes)
    free = number(hop, "worker_connections") - 3
    assert 2 * each <= free * 15 / 16 + 1e-6 < 2 * each + 2
    assert number(hop, "worker_connections") < number(hop, "worker_rlimit_nofile") <= nofile


@given(SIZES, FILES)
def test_haproxys_sockets_fit_its_descriptors(in_flight: int, nofile: int) -> None:
    """maxsock = 2 maxconn + own fits, and all processes together hold what is asked for."""
    hop = sized("haproxy", in_flight, nofile)
    let_in = number(hop, "frontend_maxconn")
    assert 2 * number(hop, "maxconn") < number(hop, "ulimit_n") <= nofile
    assert let_in * hop.processes >= in_flight
    assert number(hop, "server_maxconn") * 8 >= let_in


@given(SIZES, st.sampled_from((0.05, 1.0, 20.0)), st.integers(1, 40))
def test_what_haproxy_keeps_idle_takes_no_requests_descriptor(
    in_flight: int, time_s: float, slots: int
) -> None:
    """Every server's pool may be full, of twice the slots, beside all that is let in; no more."""
    wanted = Demand(in_flight, (Kind("k", 1.0, time_s),))
    hop = size_edge(wanted, host(2**30), EdgeLayout("haproxy", ""), slots)
    idle = SPARE_FACTOR * slots * number(hop, "server_pool_max_conn")
    left = 2 * (number(hop, "maxconn") - number(hop, "frontend_maxconn"))
    assert idle <= left <= idle + SPARE_FACTOR * slots


def test_haproxy_has_room_for_what_each_host_keeps_idle() -> None:
    """Those that may be lost are dialled too, for as long as they are there."""
    for there in (2, 4):
        front = Front(hosts=tuple(Upstream(f"10.0.0.{n}:80") for n in range(there)))
        hop = size_edge(demand(), host(), EdgeLayout("haproxy", "", front=front), 2)
        room = number(hop, "maxconn") - number(hop, "frontend_maxconn")
        assert (number(hop, "server_pool_max_conn"), room) == (BUSY // 2, there * BUSY // 4)


def test_haproxy_lets_in_no_more_than_its_descriptors_allow() -> None:
    """Where slots are so many that no number of processes has room for what each keeps idle."""
    hop = size_edge(demand(400), host(1_000), EdgeLayout("haproxy", ""), 1_000)
    assert 2 * number(hop, "maxconn") < number(hop, "ulimit_n") == 1_000
    assert number(hop, "frontend_maxconn") * hop.processes < 400


@given(SIZES, FILES)
def test_descriptors_are_what_the_programs_count(in_flight: int, nofile: int) -> None:
    """An edge is given descriptors for its connections, and what its program takes itself."""
    hop = sized("nginx", in_flight, nofile)
    left = number(hop, "worker_rlimit_nofile") - number(hop, "worker_connections")
    assert left == nginx.own_descriptors(hop)
    hop = sized("haproxy", in_flight, nofile)
    left = number(hop, "ulimit_n") - 2 * number(hop, "maxconn")
    assert left == haproxy.counted_for_itself(hop, host(nofile))


@pytest.mark.parametrize("program", ["nginx", "haproxy"])
def test_one_process_fewer_would_not_fit(program: Program) -> None:
    """50,000 in flight where 20,000 descriptors are allowed take the fewest processes that do."""
    hop = sized(program, 50_000)
    fewer = hop.processes - 1
    assert 2 * on_fullest(50_000, fewer) * (16 / 15 if program == "nginx" else 1) > 19_900


def test_idle_clients_have_their_places() -> None:
    """A hundred idle clients are a hundred connections more in nginx, and in HAProxy."""
    for program, setting in (("nginx", "worker_connections"), ("haproxy", "frontend_maxconn")):
        few, many = (sized(program, 400, 1_048_576, idle=idle) for idle in (0, 2_000))
        more = number(many, setting) - number(few, setting)
        assert more == (on_fullest(2_000, 2) if program == "nginx" else 2_000)


def test_streams_share_a_clients_connection() -> None:
    """With 10 requests a client connection, one request takes 1.1 connections instead of 2."""
    one, ten = (sized("haproxy", 1_000, streams=streams) for streams in (1.0, 10.0))
    assert (one.processes, ten.processes) == (1, 1)
    ratio = number(ten, "frontend_maxconn") / number(one, "frontend_maxconn")
    assert ratio == pytest.approx(0.55, abs=0.01)


def test_the_requests_of_a_connection_fall_on_one_process() -> None:
    """2,000 requests on 20 connections are hashed by 100: the fullest of 2 has nearly all."""
    one, hundred = (sized("nginx", 2_000, streams=streams) for streams in (1.0, 100.0))
    assert (one.processes, hundred.processes) == (2, 2)
    requests = 100 * fullest(20, 2, 1e-9)
    taken = (number(hundred, "worker_connections") - 3) * 15 / 16
    assert taken == pytest.approx(1.01 * requests, abs=2)
    assert requests > 1.5 * fullest(2_000, 2, 1e-9)


def test_the_edge_gives_up_an_idle_connection_first() -> None:
    """The dialler's idle timeout is shorter than the listener's, however short that is."""
    for keep_alive_s in (75.0, 2.0):
        layout = EdgeLayout("nginx", "", keep_alive_s=keep_alive_s)
        (link,) = size_edge(demand(), host(), layout, 8).links
        assert link.dialler_idle_s.number < link.listener_idle_s.number == keep_alive_s


@pytest.mark.parametrize("program", ["nginx", "haproxy"])
def test_a_burst_takes_as_many_sockets_as_the_kernel_asks_for(program: Program) -> None:
    """Where somaxconn lets 128 wait, the fullest of the listening sockets has no more to hold."""
    hop = size_edge(demand(2_000), host(somaxconn=128), EdgeLayout(program, ""), 8)
    assert number(hop, "backlog") <= 128
    assert fullest(2_000, hop.processes - 1, 1e-9) > 128


@pytest.mark.parametrize("somaxconn", [2, 128])
def test_processes_are_found_in_few_steps(somaxconn: int) -> None:
    """Law 9: whether accept queues of 128 or of 2 do is known after 30 counts of processes."""
    fullest.cache_clear()
    size_edge(demand(2_000), host(somaxconn=somaxconn), EdgeLayout("nginx", ""), 8)
    assert fullest.cache_info().misses <= 30
