"""The configurations of edges: accepted by the real programs, explained, the same each time."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from holdfast.model.path import Hop
from holdfast.sizing.edge import size_edge
from holdfast.sizing.layout import EdgeLayout, Program
from holdfast.writers import haproxy, nginx
from holdfast.writers.site import Balance, Site, plain
from tests.edges import INSTALLED, PROGRAMS, demand, host

SLOTS = ("slot-0.sock", "slot-1.sock", "slot-2.sock")
BALANCES: tuple[Balance, ...] = ("least", "round_robin", "hash", "random_two")
WRITERS = {"nginx": nginx.render, "haproxy": haproxy.render}


def sized(program: Program, nofile: int = 20_000) -> Hop:
    """An edge for 2,000 in flight before three slots."""
    return size_edge(demand(), host(nofile), EdgeLayout(program, ""), len(SLOTS))


def check(program: Program, path: Path) -> subprocess.CompletedProcess[str]:
    """The program's own judgement of one file, read in the folder that it is to be started in."""
    binary = INSTALLED[program]
    assert binary
    argv = {
        "nginx": [binary, "-t", "-p", ".", "-c", f"edge/{path.name}", "-e", "stderr"],
        "haproxy": [binary, "-c", "-f", f"edge/{path.name}"],
    }
    return subprocess.run(
        argv[program], cwd=path.parents[1], capture_output=True, text=True, check=False
    )


@pytest.mark.slow
@pytest.mark.parametrize("balance", BALANCES)
@pytest.mark.parametrize("program", PROGRAMS)
def test_the_program_accepts_it(
    program: Program, balance: Balance, tmp_path: Path, free_port: int
) -> None:
    """Each way of spreading, with spare and further slots and without, passes its own test."""
    folder = tmp_path / "edge"
    folder.mkdir()
    for more in ((), ("slot-9.sock",)):
        site = Site((f"127.0.0.1:{free_port}",), SLOTS, more, more, balance=balance)
        for name, text in WRITERS[program](sized(program), site).items():
            (folder / name).write_text(text)
            judged = check(program, folder / name)
            assert (judged.returncode, "emerg" in judged.stderr) == (0, False), judged.stderr
            assert "[WARNING]" not in judged.stderr


@pytest.mark.parametrize("program", ["nginx", "haproxy"])
def test_each_value_stands_below_its_formula(program: Program) -> None:
    """Every derived value of the hop is written, and its reason is a comment above it."""
    hop = sized(program)
    text = "".join(WRITERS[program](hop, Site(("127.0.0.1:1",), SLOTS)).values())
    flat = " ".join(text.replace("# ", "").split())
    assert hop.values
    for value in hop.values:
        if value.setting not in {"log_files", "listeners", "stats_sockets"}:  # counts of lines
            assert value.why in flat
            assert plain(value) in flat or value.value is True
    assert max(map(len, text.splitlines())) <= 100


def test_nginx_finds_out_that_a_further_slot_is_not_there() -> None:
    """One that fails is left out for 5 s; a request may meet all of them, and one more."""
    site = Site(("127.0.0.1:1",), SLOTS, further=("slot-3.sock", "slot-4.sock"))
    (text,) = nginx.render(sized("nginx"), site).values()
    assert text.count("max_fails=0;") == len(SLOTS)
    assert "server unix:slot-3.sock max_fails=1 fail_timeout=5s;" in text
    assert "proxy_next_upstream_tries 4;" in text


def test_haproxy_waits_to_be_told_of_a_further_slot() -> None:
    """It is disabled in the file, and named by its number as the others are."""
    site = Site(("127.0.0.1:1",), SLOTS, further=("slot-3.sock", "slot-4.sock"))
    text = "".join(haproxy.render(sized("haproxy"), site).values())
    assert "server slot-2 unix@slot-2.sock\n" in text
    assert "server slot-4 unix@slot-4.sock disabled\n" in text


@pytest.mark.parametrize("program", ["nginx", "haproxy"])
def test_the_same_edge_is_the_same_text(program: Program) -> None:
    """Nothing but the hop and the site decides what is written."""
    site = Site(("127.0.0.1:1",), SLOTS)
    assert WRITERS[program](sized(program), site) == WRITERS[program](sized(program), site)


def test_each_haproxy_has_a_file_of_its_own() -> None:
    """Several processes differ in the sockets that they listen on, and in nothing else."""
    hop = sized("haproxy", nofile=1_500)
    binds = tuple(f"fd@{number}" for number in range(hop.processes))
    files = haproxy.render(hop, Site(binds, SLOTS))
    assert list(files) == [f"haproxy-{index}.cfg" for index in range(hop.processes)]
    assert hop.processes > 1
    for index, text in enumerate(files.values()):
        assert f"bind fd@{index} backlog" in text
        assert f"unix@edge/haproxy-{index}.sock" in text


@pytest.mark.parametrize(
    ("balance", "line"), [("least", "least_conn;"), ("random_two", "random two least_conn;")]
)
def test_the_way_of_spreading_is_one_line(balance: Balance, line: str) -> None:
    """Least connections unless another way is asked for."""
    site = Site(("127.0.0.1:1",), SLOTS, balance=balance)
    lines = [text.strip() for text in nginx.render(sized("nginx"), site)["nginx.conf"].split("\n")]
    assert lines.count(line) == 1


def test_a_value_that_is_missing_is_named() -> None:
    """A hop that was not sized cannot be written."""
    with pytest.raises(KeyError, match="worker_processes"):
        nginx.render(Hop("edge", "nginx", "", "here", 1), Site(("127.0.0.1:1",), SLOTS))


def test_nothing_is_written_elsewhere() -> None:
    """No path of nginx's files leaves the folder that it was given."""
    text = nginx.render(sized("nginx"), Site(("127.0.0.1:1",), SLOTS))["nginx.conf"]
    assert not any(part in text for part in ("/var", "/run", "/etc", os.sep + "tmp"))
