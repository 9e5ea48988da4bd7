"""An edge before several hosts as text: accepted by the real programs, and read back."""

from __future__ import annotations

from pathlib import Path

import pytest

from holdfast.model.front.checks import Checks
from holdfast.model.front.front import Front
from holdfast.model.front.upstreams import Upstream
from holdfast.model.path import Hop
from holdfast.readers.haproxy import READER as HAPROXY
from holdfast.readers.nginx import READER as NGINX
from holdfast.readers.text import Given, Text
from holdfast.sizing.edge import size_edge
from holdfast.sizing.hosts import left
from holdfast.sizing.layout import EdgeLayout, Program
from holdfast.writers.site import Site, seconds
from tests.cli.run import tried
from tests.edges import BUSY, PROGRAMS, demand, host
from tests.readers.test_round_trip import everything
from tests.writers.test_edges import WRITERS, check

THREE = tuple(Upstream(f"10.0.0.{n}:8000") for n in (2, 3, 4))
UNEVEN = (Upstream("10.0.0.2:8000", weight=4), Upstream("[fd00::2]:8000", weight=2))
ASKED = Checks(path="/health?deep=1", interval=0.5)
READERS = {"nginx": NGINX, "haproxy": HAPROXY}


def written(program: Program, front: Front, slots: tuple[str, ...] = ()) -> tuple[Hop, Site]:
    """An edge for 2,000 in flight before the hosts, and where it stands."""
    behind = left(front) if front.hosts else len(slots)
    hop = size_edge(demand(), host(), EdgeLayout(program, "", front=front), behind)
    return hop, Site(("127.0.0.1:1",), slots, front=front)


def texts(program: Program, front: Front) -> dict[str, str]:
    return WRITERS[program](*written(program, front))


@pytest.mark.slow
@pytest.mark.parametrize("hosts", [THREE, UNEVEN], ids=["even", "uneven"])
@pytest.mark.parametrize("program", PROGRAMS)
def test_the_program_accepts_hosts(
    program: Program, hosts: tuple[Upstream, ...], tmp_path: Path
) -> None:
    """Hosts of either address family pass the program's own test; checks, in HAProxy."""
    (tmp_path / "edge").mkdir()
    for checks in (None, ASKED) if program == "haproxy" else (None,):
        for name, text in texts(program, Front(hosts=hosts, checks=checks)).items():
            (tmp_path / "edge" / name).write_text(text)
            judged = check(program, tmp_path / "edge" / name)
            assert (judged.returncode, "[WARNING]" in judged.stderr) == (0, False), judged.stderr


@pytest.mark.parametrize("program", ["nginx", "haproxy"])
def test_hosts_are_read_back(program: Program) -> None:
    """Each value of the sized hop is what its file says, and each host is dialled."""
    hop, site = written(program, Front(hosts=THREE))
    for name, text in WRITERS[program](hop, site).items():
        read = READERS[program].read(Text(name, text), Given())
        (found,) = read.hops
        told = everything(found)
        assert {value.setting for value in hop.values} - set(told) == set()
        for value in hop.values:
            assert told[value.setting].value == pytest.approx(value.value), value.setting
        dialled = [f"{one.address.host}:{one.address.port}" for one in found.dials[0].servers]
        assert dialled == [one.address for one in THREE]
        assert read.problems == ()


@pytest.mark.parametrize("program", ["nginx", "haproxy"])
def test_every_reason_stands_in_the_text(program: Program) -> None:
    """What was sized for hosts stands below its formula."""
    hop, site = written(program, Front(hosts=THREE))
    flat = " ".join("".join(WRITERS[program](hop, site).values()).replace("# ", "").split())
    counts = {"log_files", "listeners", "stats_sockets"}
    assert [v.setting for v in hop.values if v.setting not in counts and v.why not in flat] == []


@pytest.mark.parametrize("program", ["nginx", "haproxy"])
def test_the_audit_of_it_finds_nothing(program: Program, tmp_path: Path) -> None:
    """Law 1 through text: no finding, and the number is surely held."""
    for name, text in texts(program, Front(hosts=THREE)).items():
        (tmp_path / name).write_text(text)
    done = tried("audit", str(tmp_path), "-n", str(BUSY))
    assert (done.returncode, "no findings" in done.stdout) == (0, True), done.stdout


def test_a_heavier_host_has_its_part_of_the_cap() -> None:
    """Weights 4 and 2: the lighter one, left alone, is capped for all, the heavier for twice it."""
    (text,) = texts("haproxy", Front(hosts=UNEVEN)).values()
    caps = [int(line.rpartition(" ")[2]) for line in text.splitlines() if "server host-" in line]
    assert caps[0] == 2 * caps[1]
    assert caps[1] >= 2_000


def test_workers_are_asked_where_a_path_is_given() -> None:
    """Each slot and each spare one is checked; the server for the instant of a move is not."""
    front = Front(checks=ASKED)
    hop, site = written("haproxy", front, ("slot-0.sock", "slot-1.sock"))
    (text,) = WRITERS["haproxy"](hop, site).values()
    lines = [line.strip() for line in text.splitlines()]
    assert "http-check send meth GET uri /health?deep=1 ver HTTP/1.1 hdr Host localhost" in lines
    assert " check inter 500ms fall 3 rise 2" in text
    assert "server last unix@slot-0.sock backup no-check" in lines
    plain = WRITERS["haproxy"](*written("haproxy", Front(), ("slot-0.sock",)))
    assert "check" not in "".join(plain.values()).replace("no-check", "")


def test_times_are_written_in_whole_numbers() -> None:
    """Neither program reads a fraction of a second."""
    hop, _ = written("haproxy", Front(hosts=THREE, checks=ASKED))
    value = hop.get("check_inter_s")
    assert value is not None
    assert seconds(value) == "500ms"
