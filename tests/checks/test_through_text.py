"""Law 1 through text: all that is written, read again, holds the number and breaks no law."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.checks.audit import audit
from holdfast.model.errors import Impossible
from holdfast.model.front.clients import Clients
from holdfast.model.front.front import Front
from holdfast.model.front.upgrades import Streams, Websockets
from holdfast.model.path import Demand, Hop, Host, Kind, Path, Protocol
from holdfast.model.tuning import Keeper, Tuning
from holdfast.model.values import assumed
from holdfast.programs.catalog import completed
from holdfast.programs.tunables import BY_SETTING
from holdfast.readers.address import address
from holdfast.readers.catalog import recognised
from holdfast.readers.contract import Around, Found, Listen, Processes, Read
from holdfast.readers.join import join
from holdfast.readers.text import Given, Text
from holdfast.sizing.layout import EdgeLayout
from holdfast.sizing.path import size
from holdfast.sizing.tune import tune
from holdfast.writers import haproxy, limits, nginx, sysctl, systemd
from holdfast.writers.site import Balance, Site
from tests.checks.folder import audited
from tests.sizing.test_law_1 import COSTS, EDGES, SECURED, TLS_COSTS, behind, demands, host
from tests.sizing.test_tune import LISTENING, machine, machines

WRITERS = {"nginx": nginx.render, "haproxy": haproxy.render}
WAITS = {"nginx": "proxy_read_timeout_s", "haproxy": "timeout_tunnel_s"}
GIVEN = {"nofile", *(cost.setting for cost in (*COSTS, *TLS_COSTS))}
"""What no file of an edge says: what it is given at its start, and what was measured of it."""
DROP_IN = "etc/systemd/system/app.service.d/90-holdfast.conf"
GROUP = ("cgroup_memory_max", "cpu_quota_cores", "pids_max")
"""What a control group gives: a unit says it, a login's limits do not."""
BALANCES: tuple[Balance, ...] = ("least", "round_robin", "random_two")


PLAIN = Front()
LASTING = Front(
    websockets=Websockets(paths=("/ws/", "/live"), idle=600.0),
    streams=Streams(paths=("/events", "/live"), idle=3_600.0),
    clients=Clients(trusted=("10.0.0.0/8",)),
)

VALUES = {"net.ipv4.ip_local_port_range": ("port_low", "port_high")}
"""Sysctls that are several values of a host."""


def slots_of(sized: Path) -> tuple[str, ...]:
    """The sockets of the workers."""
    return tuple(f"/run/slot-{number}.sock" for number in range(sized.hop("workers").processes))


def edge_files(
    sized: Path, spare: int = 0, balance: Balance = "least", front: Front = PLAIN
) -> dict[str, str]:
    """What the edge of a sized path is written as."""
    edge = next(hop for hop in sized.hops if hop.program in WRITERS)
    extra = tuple(f"/run/spare-{number}.sock" for number in range(spare))
    besides = ("127.0.0.1:81",) if front.tls is not None else ()
    where = ("127.0.0.1:80",)
    site = Site(where, slots_of(sized), extra, balance=balance, front=front, redirect=besides)
    return WRITERS[edge.program](edge, site)


def host_files(tuning: Tuning, *, unit: bool) -> dict[str, str]:
    """What `holdfast tune` writes: sysctls, and the limits of a login or of a unit."""
    changes, in_flight = tuning.changes, tuning.demand.in_flight
    files = sysctl.render(changes, in_flight)
    dropped = systemd.render(changes, in_flight)
    files |= {DROP_IN: dropped} if unit and dropped else limits.render(changes, in_flight, "web")
    return {name.lstrip("/"): text for name, text in files.items()}


def read_back(files: dict[str, str]) -> list[Read]:
    """Every file by the reader that recognises it, without a problem and nothing unread."""
    reads = []
    for name, said in files.items():
        reader = recognised(text := Text(name, said))
        assert reader is not None, name
        reads.append(reader.read(text, Given(files)))
    assert all(read.problems == () for read in reads)
    return reads


def through_text(sized: Path, reads: list[Read], here: Host) -> Path:
    """The path whose edge and host are what the files say; workers and services as sized."""
    (path,) = all_through_text(sized, reads, here)
    return path


def all_through_text(sized: Path, reads: list[Read], here: Host) -> list[Path]:
    """Such a path for each way through the edge: each location that passes on otherwise is one."""
    edge = next(hop for hop in sized.hops if hop.program in WRITERS)
    edges = [read for read in reads if read.hops]
    place = edges[0].hops[0].listens[0].place
    each = Processes(0, 1, assumed("processes", 1, "one a slot"))
    apps = tuple(
        Found("workers", "uvicorn", each, (), (Listen(address(slot), Protocol.HTTP_1, place),))
        for slot in (f"unix:{slot}" for slot in slots_of(sized))
    )
    given = tuple(value for value in edge.values if value.setting in GIVEN)
    around = (Around("started", edge.program, given),)
    ways = join([*reads, Read(apps, around=around)], here, {edge.program: edge.version})
    return [_as_sized(way.path, edge, sized) for way in ways]


def _as_sized(path: Path, edge: Hop, sized: Path) -> Path:
    """The sized path with the edge and the hosts that were read."""
    assert path.unjoined == ()
    read = next(hop for hop in path.hops if hop.program == edge.program)
    links = tuple(
        msgspec.structs.replace(old, spread=new.spread, streams=new.streams)
        for old, new in zip(edge.links, read.links, strict=True)
    )
    read = completed(msgspec.structs.replace(read, name=edge.name, host=edge.host, links=links))
    assert read.processes == edge.processes
    hops = tuple(read if hop is edge else hop for hop in sized.hops)
    return msgspec.structs.replace(sized, hosts=path.hosts, hops=hops)


def tuned_host(tuning: Tuning, before: Host, reads: list[Read]) -> Host:
    """The host as it was, with what the files of limits say; sysctls are left to `join`.

    What follows of a control group's change (memory that is left, cores) no file says; and where
    no unit does, nor does one say the change: it is somebody else's.
    """
    tuned, unit = tuning.path.hosts[0], any(DROP_IN in read.files for read in reads)
    follows = ("memory_available",) if unit else ("memory_available", *GROUP)
    followed = tuple(value for value in tuned.values if value.setting in follows)
    told = tuple(
        value
        for read in reads
        for around in read.around
        for value in around.values
        if value.setting in {"nofile_hard", *GROUP}
    )
    values = (*before.values, *followed, *told)
    return msgspec.structs.replace(before, cores=tuned.cores, values=values)


@pytest.mark.slow
@pytest.mark.parametrize(
    "edge", [*EDGES[1:], *SECURED], ids=("nginx", "haproxy", "nginx-tls", "haproxy-tls")
)
def test_what_is_written_holds_and_breaks_no_law(edge: EdgeLayout) -> None:
    """An audit of the rendered edge has no finding, and is sure of the number."""

    @settings(max_examples=25, deadline=None)
    @given(demands, st.sampled_from((0, 2)), st.sampled_from(BALANCES))
    def holds(asked: Demand, spare: int, balance: Balance) -> None:
        try:
            sized = size(asked, host(), behind(edge))
        except Impossible:
            return
        reads = read_back(edge_files(sized, spare, balance, edge.front))
        found = audit(through_text(sized, reads, sized.hosts[0]), asked, asked.in_flight)
        assert found.findings == ()
        assert found.holds.sure >= asked.in_flight

    holds()


@pytest.mark.slow
@pytest.mark.parametrize("edge", EDGES[1:], ids=("nginx", "haproxy"))
def test_each_way_of_what_lasts_breaks_no_law(edge: EdgeLayout) -> None:
    """With websockets, streams of events and trusted balancers an audit finds as little: each of
    nginx's locations is a way that holds the number, and waits as long as it was told to."""
    asked = Demand(2_000, (Kind("items", 1.0, 10.0),), burst=400)
    layout = msgspec.structs.replace(edge, front=LASTING)
    sized = size(asked, host(), behind(layout))
    paths = all_through_text(sized, read_back(edge_files(sized, front=LASTING)), sized.hosts[0])
    waits = set()
    for path in paths:
        found = audit(path, asked, asked.in_flight)
        assert found.findings == ()
        assert found.holds.sure >= asked.in_flight
        told = path.hop("edge").get(WAITS[edge.program])
        waits.add(told and told.value)
    assert waits == {"nginx": {90.0, 600.0, 3_600.0}, "haproxy": {600.0}}[edge.program]


def judge_tuned(asked: Demand, before: Host, edge: EdgeLayout, *, unit: bool) -> int:
    """A machine that is tuned for a number, all of it through text; how many files that took."""
    try:
        tuning = tune(asked, before, behind(edge), LISTENING)
    except Impossible:
        return 0
    written = host_files(tuning, unit=unit)
    reads = read_back(written | edge_files(tuning.path))
    after = through_text(tuning.path, reads, tuned_host(tuning, before, reads))
    tuned, read = tuning.path.hosts[0], after.hosts[0]
    for need in (need for need in tuning.changes if need.keeper is Keeper.SYSCTL):
        for name in VALUES.get(need.setting, (BY_SETTING[need.setting].value,)):
            assert _said(read, name) == _said(tuned, name)
    found = audit(after, asked, asked.in_flight)
    assert found.findings == ()
    assert found.holds.sure >= asked.in_flight
    return len(written)


def _said(of: Host, setting: str) -> object:
    found = of.get(setting)
    return None if found is None else found.value


@pytest.mark.slow
@pytest.mark.parametrize("edge", EDGES[1:], ids=("nginx", "haproxy"))
@pytest.mark.parametrize("unit", [False, True], ids=("login", "unit"))
def test_a_tuned_machine_is_what_its_files_say(edge: EdgeLayout, unit: bool) -> None:
    """Sysctls, limits of a login or a unit, and the edge: read again they hold, and break none."""
    most = 0

    @settings(max_examples=25, deadline=None)
    @given(demands, machines)
    def holds(asked: Demand, before: Host) -> None:
        nonlocal most
        most = max(most, judge_tuned(asked, before, edge, unit=unit))

    holds()
    assert most  # some of them took a change


def judge_whole(asked: Demand, before: Host, edge: EdgeLayout) -> None:
    """All files in one folder with the workers' command lines, as `holdfast audit` reads them."""
    try:
        tuning = tune(asked, before, behind(edge), LISTENING)
    except Impossible:
        return
    files = host_files(tuning, unit=False) | edge_files(tuning.path)
    files["start.sh"] = "".join(
        f"uvicorn --uds {slot} --backlog {_said(tuning.path.hop('workers'), 'backlog')} "
        f"--timeout-keep-alive {_said(tuning.path.hop('workers'), 'keep_alive_s'):.0f} app:app &\n"
        for slot in slots_of(tuning.path)
    )
    reads = read_back({name: said for name, said in files.items() if name.startswith("etc/")})
    here = tuned_host(tuning, before, reads)
    nofile = _said(tuning.path.hosts[0], "nofile_hard")
    fields = {"idle": asked.idle, "burst": asked.burst}
    for found in audited(files, asked.in_flight, here, int(float(str(nofile))), **fields):
        assert found.findings == ()
        assert found.holds.sure >= asked.in_flight


@pytest.mark.parametrize("edge", EDGES[1:], ids=("nginx", "haproxy"))
def test_a_number_as_the_audit_reads_it(edge: EdgeLayout) -> None:
    """5,000 on a machine that needs three changes: the whole folder of files holds it."""
    before = machine(nofile_hard=1_024, somaxconn=128, file_max=20_000, pids_max=12)
    judge_whole(Demand(5_000, (Kind("any", 1.0, 20.0),), burst=250), before, edge)


@pytest.mark.slow
@pytest.mark.parametrize("edge", EDGES[1:], ids=("nginx", "haproxy"))
def test_all_that_is_written_as_the_audit_reads_it(edge: EdgeLayout) -> None:
    """Any number on any machine: no finding on the folder of all files that were written."""

    @settings(max_examples=15, deadline=None)
    @given(demands, machines)
    def holds(asked: Demand, before: Host) -> None:
        judge_whole(asked, before, edge)

    holds()
