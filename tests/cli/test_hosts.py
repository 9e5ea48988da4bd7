"""`[[edge.hosts]]`: `plan` and `up` of an edge that stands before other hosts."""

from __future__ import annotations

import json
import signal
import socket
from pathlib import Path

import pytest

from tests.cli.run import SHOP, holdfast, started, tried
from tests.edges import PROGRAMS
from tests.helpers import free_port, wait_until

TOML = """
[[edge.hosts]]
address = "127.0.0.1:{}"
in_flight = "2k"

[[edge.hosts]]
address = "127.0.0.1:{}"
in_flight = "2k"
"""


@pytest.fixture
def folder(tmp_path: Path) -> str:
    """A folder whose holdfast.toml names two hosts, on ports where nobody listens."""
    (tmp_path / "holdfast.toml").write_text(TOML.format(free_port(), free_port()))
    return str(tmp_path)


@pytest.mark.parametrize("program", ["nginx", "haproxy"])
def test_the_plan_says_what_each_host_holds_and_what_one_takes(program: str, folder: str) -> None:
    """The hosts are a hop of the path, and notes say the share and the most that is lost."""
    asked = ("plan", "--app-dir", folder, "-n", "2k", "--edge", program, "--json")
    plan = json.loads(holdfast(*asked).stdout)
    assert [hop["name"] for hop in plan["hops"]] == ["kernel", "edge", "hosts"]
    assert plan["holds"]["sure"] >= 2_000
    notes = " ".join(plan["notes"])
    assert "each of 2 hosts is to hold 2,000, so that 1 may be lost" in notes
    assert "a host that is cut off takes" in notes


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("up", "shop:app"), "`shop:app` would not run here: 2 hosts serve it"),
        (("prove", "shop:app"), "its workers are not here"),
        (("tune",), "its workers are not here"),
        (("plan", "--edge", "none"), "`[edge]` asks for what only an edge does"),
        (("plan", "-n", "2001", "--edge", "nginx"), "or add hosts"),
    ],
)
def test_what_hosts_do_not_go_with_is_refused(
    words: tuple[str, ...], says: str, folder: str
) -> None:
    """With exit code 2, before anything starts."""
    done = tried(*words, *(() if "-n" in words else ("-n", "1k")), "--app-dir", folder)
    assert (done.returncode, done.stdout) == (2, "")
    assert says in " ".join(done.stderr.split())


def test_an_app_is_still_asked_for_without_hosts() -> None:
    """`up` without an app is bad input where no host serves one."""
    done = tried("up", "--app-dir", SHOP)
    assert (done.returncode, "names no app" in done.stderr) == (2, True)


@pytest.mark.slow
@pytest.mark.beside
@pytest.mark.parametrize("program", PROGRAMS)
def test_up_runs_the_edge_alone(program: str, folder: str) -> None:
    """It answers 502 or 503 while no host does, and ends with 0 when it is told to."""
    port = free_port()
    asked = ("up", "--app-dir", folder, "-n", "1k", "--edge", program, "--port", str(port))
    with started(*asked) as process:
        wait_until(lambda: status(port) in {502, 503})
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0


def status(port: int) -> int:
    """What the edge answers; 0 while it does not."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=30) as client:
            client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            return int(client.recv(65_536).split()[1])
    except OSError:
        return 0
