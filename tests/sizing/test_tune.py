"""The fewest changes: with all of them a demand is held, without any one it is not."""

from __future__ import annotations

import math

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.model.errors import Impossible
from holdfast.model.path import Demand, Host, Kind, Use
from holdfast.model.tuning import Keeper, Need, Standing, Tuning
from holdfast.model.values import assumed, observed
from holdfast.programs import tunables as names
from holdfast.programs.ports import parse_ports
from holdfast.programs.tunables import TUNABLES
from holdfast.sizing.layout import EdgeLayout, Layout, Service
from holdfast.sizing.path import scaled, size
from holdfast.sizing.tune import tune, with_changes
from tests.sizing.test_law_1 import EDGES, GIB, LAYOUT, behind, host, profile

LISTENING = observed("listening_ports", "22,8000,30000,50051", "typed in")
PLAIN = Layout(LAYOUT.worker, LAYOUT.socket_end_bytes)
WIDE = {
    "host_memory_available": 23 * GIB,
    "cgroup_memory_max": math.inf,
    "cpu_affinity_cores": 2,
    "cpu_quota_cores": math.inf,
    "nofile_raisable": True,
    "nr_open": 1_048_576,
    "uid": 0,
    "syncookies": 1,
    "tcp_max_syn_backlog": 512,
    "reserved_ports": "",
    "threads_used": 200,
    "pid_max": 32_768,
    "threads_max": 100_000,
    "conntrack_tracks": False,
    "tcp_mem_pages": 500_000,
    "page_bytes": 4096,
    "tw_buckets": 131_072,
    "netdev_max_backlog": 1_000,
    "packets_dropped": 0,
}


def machine(**values: float | str | None) -> Host:
    """A host of which everything is known and can be raised, with limits as given."""
    return host(**{**WIDE, **values})


def demand(in_flight: int, *, burst: int = 0, time_s: float = 20.0, units: float = 0.0) -> Demand:
    """One kind of request that may hold units of the service `upstream`."""
    uses = (Use("upstream", units, time_s),) if units else ()
    return Demand(in_flight, (Kind("items", 1.0, time_s, uses),), burst=burst)


def upstream(addresses: int) -> Layout:
    """Workers and a service elsewhere with so many addresses."""
    told = assumed("addresses", addresses, "told")
    return Layout(LAYOUT.worker, LAYOUT.socket_end_bytes, (Service("upstream", told),))


def need(tuning: Tuning, setting: str) -> Need:
    """The row of a setting."""
    return next(row for row in tuning.needs if row.setting == setting)


def wanted(tuning: Tuning) -> dict[str, object]:
    """The changes as {setting: value}."""
    return {row.setting: row.wanted.value for row in tuning.changes if row.wanted is not None}


def holds(asked: Demand, here: Host, layout: Layout) -> bool:
    """Whether the sizing finds a path."""
    try:
        size(asked, here, layout)
    except Impossible:
        return False
    return True


machines = st.builds(
    machine,
    nofile_hard=st.sampled_from((64, 256, 1_024, 20_000, 1_048_576)),
    nofile_raisable=st.booleans(),
    uid=st.sampled_from((0, 1_000)),
    nr_open=st.sampled_from((1_048_576, 2_097_152)),
    somaxconn=st.sampled_from((1, 16, 128, 4_096)),
    syncookies=st.sampled_from((0, 1)),
    tcp_max_syn_backlog=st.sampled_from((4, 512)),
    port_low=st.sampled_from((1_024, 32_768, 60_000)),
    reserved_ports=st.sampled_from(("", "40000-40100")),
    file_max=st.sampled_from((2_000, 50_000, 2_000_000)),
    pids_max=st.sampled_from((12, 100, math.inf)),
    threads_max=st.sampled_from((220, 100_000)),
    memory_available=st.sampled_from((GIB, 8 * GIB, 23 * GIB)),
    cgroup_memory_max=st.just(24 * GIB),
    conntrack_tracks=st.booleans(),
    conntrack_max=st.sampled_from((100, 262_144)),
    conntrack_count=st.just(50),
)
demands = st.builds(
    lambda n, time_s, share, units: demand(
        n, burst=math.ceil(n * share), time_s=time_s, units=units
    ),
    st.integers(1, 300_000),
    st.floats(1, 100),
    st.sampled_from((0.0, 0.05, 1.0)),
    st.sampled_from((0.0, 1.0)),
)


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(demands, machines, st.sampled_from((1, 3)))
def test_all_changes_hold_it_and_all_but_one_do_not(
    asked: Demand, here: Host, addresses: int
) -> None:
    """With every change the demand is held; with one left out, and what needs it, it is not."""
    layout = upstream(addresses)
    try:
        tuning = tune(asked, here, layout, LISTENING)
    except Impossible:
        assert not holds(asked, here, layout)
        return
    assert holds(asked, with_changes(here, tuning.needs), layout)
    for left_out in tuning.changes:
        if left_out.setting != names.RESERVED_PORTS:
            rest = tuple(row for row in tuning.needs if row != left_out)
            assert not holds(asked, with_changes(here, rest), layout), left_out.setting
    _check_narrower(tuning, here, layout)
    _check_nothing_is_lowered(tuning)


def _check_narrower(tuning: Tuning, here: Host, layout: Layout) -> None:
    """What fits without a change is held by the narrower path, and one more is not."""
    assert (tuning.fits == tuning.demand.in_flight) == (not tuning.changes)
    assert (tuning.narrower is None) == (tuning.fits == 0)
    if tuning.fits:
        assert holds(scaled(tuning.demand, tuning.fits), here, layout)
    if tuning.changes:
        assert not holds(scaled(tuning.demand, tuning.fits + 1), here, layout)


def _check_nothing_is_lowered(tuning: Tuning) -> None:
    """Every number grows; a port range only widens; no program listens in it unreserved."""
    for row in tuning.changes:
        assert row.wanted is not None
        if row.setting == names.PORT_RANGE:
            low, high = (int(word) for word in str(row.wanted.value).split())
            now_low, now_high = (int(word) for word in str(row.now.value).split())
            assert min(now_low, 10_240) <= low <= now_low <= now_high <= high <= 65_535
            reserved = need(tuning, names.RESERVED_PORTS)
            kept = parse_ports(str((reserved.wanted or reserved.now).value))
            taken = {p for p in parse_ports(str(LISTENING.value)) if low <= p <= high}
            assert taken <= kept
        elif row.setting == names.RESERVED_PORTS:
            assert parse_ports(str(row.now.value)) < parse_ports(str(row.wanted.value))
        else:
            assert row.wanted.number > row.now.number


def test_a_machine_with_enough_of_everything_is_left_alone() -> None:
    """No row asks for a change, none is unknown but what nobody described, all of N fits."""
    tuning = tune(demand(50_000, burst=2_500), machine(), PLAIN, LISTENING)
    assert (tuning.changes, tuning.fits) == ((), 50_000)
    assert [row.setting for row in tuning.needs] == [row.setting for row in TUNABLES]
    unknown = [row.setting for row in tuning.needs if row.standing is Standing.UNKNOWN]
    assert unknown == [names.TCP_MEM]
    assert all(row.why for row in tuning.needs)


@pytest.mark.parametrize(
    ("setting", "value", "given"),
    [
        (names.SOMAXCONN, 1_024, {"somaxconn": 4}),
        (names.SYN_BACKLOG, 2_048, {"tcp_max_syn_backlog": 4, "syncookies": 0}),
        (names.FILE_MAX, 65_536, {"file_max": 30_000}),
        (names.CONNTRACK_MAX, 65_536, {"conntrack_tracks": True, "conntrack_max": 10_000}),
        (names.PID_MAX, 256, {"pid_max": 205}),
        (names.THREADS_MAX, 256, {"threads_max": 205}),
        (names.PIDS_MAX, 16, {"pids_max": 3}),
        (names.CPU_MAX, 0.2, {"cpu_quota_cores": 0.1}),
        (names.MEMORY_MAX, 797 * 2**20, {"cgroup_memory_max": GIB // 4, "left": GIB // 4}),
    ],
)
def test_what_is_short_is_proposed_and_nothing_else(
    setting: str, value: float, given: dict[str, float]
) -> None:
    """One setting too small for 50,000 in flight is one change, rounded up."""
    given = dict(given)
    left = given.pop("left", 23 * GIB)
    here = machine(memory_available=left, conntrack_count=50, pids_used=2, **given)
    here = msgspec.structs.replace(here, cores=given.get("cpu_quota_cores", 2.0))
    tuning = tune(demand(50_000, burst=2_500, time_s=40.0), here, PLAIN, LISTENING)
    assert wanted(tuning) == {setting: value}
    row = need(tuning, setting)
    assert row.standing is Standing.CHANGE
    assert row.wanted is not None
    assert " needed, rounded up to " in row.wanted.why
    assert 0 <= tuning.fits < 50_000


def crowded(**values: float) -> Host:
    """A host where a low hard limit takes more workers than its memory has room for."""
    return machine(nofile_hard=64, memory_available=2 * GIB, **values)


def test_a_hard_limit_is_raised_where_more_processes_do_not_fit() -> None:
    """Descriptors of the fullest worker, rounded up; the login's setting, not the kernel's."""
    tuning = tune(demand(50_000), crowded(), PLAIN, LISTENING)
    row = need(tuning, names.NOFILE)
    assert wanted(tuning) == {names.NOFILE: 65_536}
    assert (row.keeper, row.standing) == (Keeper.LIMIT, Standing.CHANGE)
    assert "LimitNOFILE" in row.who


def test_a_hard_limit_that_root_cannot_raise_is_never_proposed() -> None:
    """Where a child of root tried in vain, what is short is Impossible, not a change."""
    with pytest.raises(Impossible):
        tune(demand(50_000), crowded(nofile_raisable=False), PLAIN, LISTENING)


def test_a_hard_limit_that_only_root_could_try_is_not_promised() -> None:
    """Another user's trial in vain says nothing of root: the change cannot be known here."""
    here = crowded(nofile_raisable=False, uid=1_000)
    row = need(tune(demand(50_000), here, PLAIN, LISTENING), names.NOFILE)
    assert row.standing is Standing.UNKNOWN
    assert row.wanted is not None


def test_more_processes_in_place_of_a_limit_are_said() -> None:
    """A hard limit that cannot be raised is enough: the plan has more workers, and says so."""
    here = machine(nofile_hard=20_000, nofile_raisable=False)
    tuning = tune(demand(50_000), here, PLAIN, LISTENING)
    row = need(tuning, names.NOFILE)
    assert (tuning.changes, row.standing) == ((), Standing.ENOUGH)
    assert "in each of 3 workers; were it higher, 1 would do" in row.why
    assert "cannot be raised from here" in row.why


def test_nr_open_is_raised_with_the_limit_that_it_bounds() -> None:
    """Where one process needs more than fs.nr_open, both are proposed, to the same number."""
    small = Layout(
        profile("uvicorn", base=2 * GIB, request=10, cpu_s=1e-6), LAYOUT.socket_end_bytes
    )
    here = machine(nofile_hard=1_024, nr_open=65_536, memory_available=4 * GIB)
    here = msgspec.structs.replace(here, values=(*here.values, observed("file_max", 1e9, "typed")))
    tuning = tune(demand(100_000), here, small, LISTENING)
    assert wanted(tuning) == {names.NR_OPEN: 131_072, names.NOFILE: 131_072}


@pytest.mark.parametrize(
    ("listening", "n", "ports", "reserved"),
    [
        ("22,8000", 20_000, "20998 60999", None),
        ("22,8000,22000", 20_000, "25534 65535", None),
        ("22,25600,30000", 20_000, "20996 60999", "25600,30000"),
        ("8000,50051", 20_000, "20997 60999", "50051"),
        ("8000", 27_000, "11534 65535", None),
    ],
)
def test_a_port_range_is_widened_around_listeners(
    listening: str, n: int, ports: str, reserved: str | None
) -> None:
    """First a range in which nobody listens, as narrow as does; else exactly they are reserved."""
    here = observed("listening_ports", listening, "typed in")
    tuning = tune(demand(n, units=1.0), machine(), upstream(1), here)
    expected = {names.PORT_RANGE: ports} | ({names.RESERVED_PORTS: reserved} if reserved else {})
    assert wanted(tuning) == expected


def test_no_range_is_proposed_while_listeners_are_unknown() -> None:
    """Without the list of listeners ports that are short are Impossible, and the row unknown."""
    blind = observed("listening_ports", None, "/proc/net/tcp: not readable")
    with pytest.raises(Impossible):
        tune(demand(20_000, units=1.0), machine(), upstream(1), blind)
    fine = tune(demand(10_000, units=1.0), machine(), upstream(1), blind)
    assert need(fine, names.PORT_RANGE).standing is Standing.UNKNOWN


def test_ports_that_are_reserved_already_stay_reserved() -> None:
    """A new reserved list is the old one and the listeners."""
    here = observed("listening_ports", "50051", "typed in")
    tuning = tune(demand(20_000, units=1.0), machine(reserved_ports="1234"), upstream(1), here)
    assert wanted(tuning)[names.RESERVED_PORTS] == "1234,50051"


def test_impossible_offers_what_tuning_gains() -> None:
    """Where every change is not enough, the hint has what fits with them and what without."""
    with pytest.raises(Impossible) as caught:
        tune(demand(60_000, units=1.0), machine(), upstream(1), LISTENING)
    with_all = caught.value.fits
    assert (caught.value.hint or "").startswith(f"{with_all:,} in flight fit once")
    assert wanted(tune(demand(with_all, units=1.0), machine(), upstream(1), LISTENING))
    with pytest.raises(Impossible):
        tune(demand(with_all + 1, units=1.0), machine(), upstream(1), LISTENING)


def test_a_machine_that_nothing_was_read_of_is_unknown() -> None:
    """A value that was not read is neither enough nor a change."""
    bare = msgspec.structs.replace(host(), values=())
    tuning = tune(demand(100), bare, PLAIN, observed("listening_ports", None, "not read"))
    assert {row.standing for row in tuning.needs} == {Standing.UNKNOWN}


@pytest.mark.parametrize("edge", EDGES[1:], ids=("nginx", "haproxy"))
def test_a_half_open_queue_that_holds_the_backlogs_back_is_raised(edge: EdgeLayout) -> None:
    """Without SYN cookies the queue follows the backlogs, also where nobody said a burst."""
    asked, layout = demand(1_873, time_s=1.0, units=1.0), behind(edge)
    asked = msgspec.structs.replace(asked, idle=5_000)
    short = machine(nofile_hard=1_024, syncookies=0, tcp_max_syn_backlog=4, pids_max=math.inf)
    tuning = tune(asked, short, layout, LISTENING)
    assert holds(asked, with_changes(short, tuning.needs), layout)
    for left_out in tuning.changes:
        rest = tuple(row for row in tuning.needs if row != left_out)
        assert not holds(asked, with_changes(short, rest), layout), left_out.setting
