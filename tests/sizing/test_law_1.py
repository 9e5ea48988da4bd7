"""Law 1: what is sized holds; one process fewer, or 5 % less of the narrowest, does not."""

from __future__ import annotations

import math

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.model.errors import Impossible
from holdfast.model.front.front import Front
from holdfast.model.front.tls import Tls
from holdfast.model.holding import holds
from holdfast.model.path import Count, Demand, Host, Kind, Path, Use
from holdfast.model.profile import Profile
from holdfast.model.values import Source, Value, observed
from holdfast.programs.catalog import path_limits, path_walls
from holdfast.sizing.layout import EdgeLayout, Layout, Service
from holdfast.sizing.path import size

GIB = 2**30


def profile(name: str, *, base: float = 3e7, request: float = 1e4, cpu_s: float = 1e-4) -> Profile:
    """A profile typed in."""
    numbers = {
        "base_bytes": base,
        "request_bytes": request,
        "idle_bytes": request / 3,
        "request_cpu_s": cpu_s,
        "own_descriptors": 40,
        "shared_descriptors": 0,
    }
    values = [Value(k, v, Source.MEASURED, "typed in") for k, v in numbers.items()]
    return Profile(name, "1.0", *values)


def host(**values: float) -> Host:
    """A host of 2 cores and 24 GiB, with limits as given over common ones."""
    common = {
        "nofile_hard": 20_000,
        "somaxconn": 4_096,
        "port_low": 32_768,
        "port_high": 60_999,
        "memory_available": 23 * GIB,
        "file_max": 2_000_000,
        "file_used": 1_000,
        "pids_max": math.inf,
    }
    found = tuple(observed(k, v, "typed in") for k, v in {**common, **values}.items())
    return Host("here", Count(), 2, 24 * GIB, found)


LAYOUT = Layout(
    profile("uvicorn"),
    Value("socket_end_bytes", 4_900, Source.MEASURED, "typed in"),
    (Service("upstream", None, profile("upstream", cpu_s=5e-5)),),
    profile("holdfast-load", request=200, cpu_s=3e-5),
)

COSTS = tuple(
    Value(name, value, Source.MEASURED, "typed in")
    for name, value in (
        ("base_bytes", 4e6),
        ("connection_bytes", 400),
        ("request_bytes", 6_000),
        ("idle_bytes", 1_000),
        ("request_cpu_s", 3e-5),
    )
)
EDGES = (
    None,
    EdgeLayout("nginx", "1.22.1", costs=COSTS),
    EdgeLayout("haproxy", "2.6.12", costs=COSTS),
)
"""The edges that stand before the workers; None: clients reach the workers themselves."""

TLS_COSTS = (Value("tls_connection_bytes", 15_000, Source.MEASURED, "typed in"),)
SECURED = tuple(
    msgspec.structs.replace(
        edge, costs=COSTS + TLS_COSTS, front=Front(tls=Tls(self_signed=True, redirect=80))
    )
    for edge in EDGES
    if edge is not None
)
"""The same, which speak TLS."""


def behind(edge: EdgeLayout | None) -> Layout:
    """The layout with that edge."""
    unix = Value("unix_end_bytes", 2_000, Source.MEASURED, "typed in")
    return msgspec.structs.replace(LAYOUT, edge=edge, unix_end_bytes=unix)


demands = st.builds(
    lambda n, idle, time_s, units, burst: Demand(
        n,
        (Kind("items", 1.0, time_s, (Use("upstream", units, time_s),)),),
        idle=idle,
        burst=math.ceil(n * burst),
    ),
    st.integers(1, 400_000),
    st.sampled_from((0, 0, 100, 5_000)),
    st.floats(1, 200),
    st.sampled_from((1.0, 2.0)),
    st.floats(0, 0.2),
)
hosts = st.builds(
    host,
    nofile_hard=st.sampled_from((1_024, 4_096, 20_000, 65_536, 1_048_576)),
    somaxconn=st.sampled_from((128, 4_096)),
    memory_available=st.sampled_from((GIB, 8 * GIB, 23 * GIB)),
)


def narrowest(path: Path, demand: Demand) -> tuple[int, int]:
    """What the narrowest limit holds for sure, and what it would with 5 % less of its capacity.

    What is counted is counted in whole places: at least one of them less.
    """
    limit, found = path_walls(path, demand)[0]
    capacity = limit.capacity * 0.95
    if limit.bounds == "in_flight":
        capacity = min(capacity, limit.capacity - 1)
    less = msgspec.structs.replace(limit, capacity=capacity)
    return found.sure, holds(less, demand).sure


def with_processes(path: Path, name: str, count: int) -> Path:
    """The same path with another number of processes in one hop, every value as it was."""
    hops = tuple(
        msgspec.structs.replace(hop, processes=count) if hop.name == name else hop
        for hop in path.hops
    )
    return msgspec.structs.replace(path, hops=hops)


@settings(max_examples=150, deadline=None)
@given(demands, hosts, st.sampled_from((*EDGES, *SECURED)))
def test_what_is_sized_holds_and_less_does_not(
    demand: Demand, here: Host, edge: EdgeLayout | None
) -> None:
    """Sized: sure >= N. 5 % less of the narrowest, or one worker fewer: sure < N."""
    layout = behind(edge)
    try:
        path = size(demand, here, layout)
    except Impossible as impossible:
        _check_offer(demand, here, layout, impossible.fits)
        return
    sure, with_less = narrowest(path, demand)
    assert sure >= demand.in_flight > with_less
    workers = path.hop("workers").processes
    if workers > 1:
        fewer = with_processes(path, "workers", workers - 1)
        assert path_walls(fewer, demand)[0][1].sure < demand.in_flight


def _check_offer(demand: Demand, here: Host, layout: Layout, fits: int) -> None:
    """The number that an Impossible offers fits, and 1.01 times it does not."""

    def at(n: int) -> Demand:
        burst = math.ceil(demand.burst * n / demand.in_flight)
        return msgspec.structs.replace(demand, in_flight=n, burst=burst)

    assert 0 <= fits < demand.in_flight
    if fits:
        assert path_walls(size(at(fits), here, layout), at(fits))[0][1].sure >= fits
    with pytest.raises(Impossible):
        size(at(max(fits + 1, math.ceil(fits * 1.01))), here, layout)


def test_every_value_of_a_sized_path_has_a_source() -> None:
    """Law 4: no value of a sized path is without a reason that can be printed."""
    path = size(Demand(50_000, (Kind("k", 1.0, 20.0),), idle=5_000, burst=2_500), host(), LAYOUT)
    values = [value for hop in path.hops for value in hop.values]
    assert values
    assert all(value.why for value in values)


@pytest.mark.parametrize(
    ("short", "here"),
    [
        ("memory", host(memory_available=GIB)),
        ("open files", host(file_max=50_000)),
        ("processes", host(pids_max=12)),
    ],
)
def test_impossible_names_the_resource_and_what_fits(short: str, here: Host) -> None:
    """What is short is named with how much is missing; the hint carries what fits."""
    demand = Demand(100_000, (Kind("k", 1.0, 100.0),), burst=1_000)
    with pytest.raises(Impossible) as caught:
        size(demand, here, LAYOUT)
    assert caught.value.resource == short
    assert caught.value.missing > 0
    assert f"{caught.value.fits:,}" in (caught.value.hint or "")


def test_the_processor_is_never_planned_over() -> None:
    """A mean time so short that the rate is more than the cores is Impossible, not slow."""
    with pytest.raises(Impossible) as caught:
        size(Demand(50_000, (Kind("k", 1.0, 0.5),)), host(), LAYOUT)
    assert caught.value.resource == "processor"


def test_a_low_hard_limit_takes_more_processes() -> None:
    """With 1,024 descriptors 2,000 in flight take more workers than with 20,000, and still hold."""
    demand = Demand(2_000, (Kind("k", 1.0, 5.0),), burst=100)
    wide, narrow = (size(demand, host(nofile_hard=n), LAYOUT) for n in (20_000, 1_024))
    assert wide.hop("workers").processes == 1
    assert narrow.hop("workers").processes > 2
    assert all(
        limit.capacity <= 1_024
        for limit in path_limits(narrow, demand)
        if (limit.hop, limit.resource) == ("workers", "descriptors")
    )


@pytest.mark.parametrize(
    ("values", "backlog"),
    [
        ({}, 2_501),
        ({"somaxconn": 128}, 128),
        ({"tcp_max_syn_backlog": 256, "syncookies": 0}, 192),
    ],
)
def test_a_trials_opening_fits_the_accept_queue_as_far_as_it_may(
    values: dict[str, float], backlog: int
) -> None:
    """A trial that opens everyone within a second has the room for it, and no worker more."""
    demand = Demand(2_500, (Kind("k", 1.0, 50.0),), burst=50)
    layout = msgspec.structs.replace(LAYOUT, opening_rate=10_000.0)
    here = host(**values)
    workers, usual = (size(demand, here, one).hop("workers") for one in (layout, LAYOUT))
    assert (workers.processes, workers.get("backlog").number) == (1, backlog)
    assert (usual.processes, usual.get("backlog").number) == (1, 51)
