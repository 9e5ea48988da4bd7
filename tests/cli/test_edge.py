"""`--edge`: what stands before the workers, which is chosen, and that it holds what was planned."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
from pathlib import Path

import pytest

from holdfast.model.units import format_bytes, format_seconds
from tests.cli.run import SHOP, UNPRIVILEGED, WAIT, command, environment, holdfast, started, tried
from tests.edges import INSTALLED, PROGRAMS
from tests.helpers import free_port, wait_until

BEHIND_NOTHING = pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("unshare"), reason="hiding programs needs root"
)


def hidden(*words: str) -> subprocess.CompletedProcess[str]:
    """Run `holdfast WORDS` where neither nginx nor HAProxy can be run, whatever is installed."""
    hide = "".join(f"mount --bind /dev/null {path} && " for path in INSTALLED.values() if path)
    argv = ["unshare", "--mount", "sh", "-c", f'{hide}exec "$@"', "sh", *command(*words)]
    return subprocess.run(argv, env=environment(), capture_output=True, text=True, check=False)


@pytest.mark.parametrize("program", ["nginx", "haproxy"])
def test_the_plan_names_the_edge_and_explains_each_of_its_values(program: str) -> None:
    """`--edge` puts the hop before the workers; every value of it has a source that is printed."""
    asked = ("plan", "shop:app", "--app-dir", SHOP, "-n", "50k", "--edge", program)
    plan = json.loads(holdfast(*asked, "--json").stdout)
    (edge,) = (hop for hop in plan["hops"] if hop["name"] == "edge")
    assert edge["program"] == program
    assert plan["memory"]["edge"] > 0
    explained = " ".join(holdfast(*asked, "--explain").stdout.split())
    for value in edge["values"]:
        assert value["setting"] in explained
        assert value["why"]


@pytest.mark.parametrize("asked", [(), ("--edge", "nginx"), ("--edge", "haproxy")])
def test_the_plan_notes_what_the_edge_answers_itself(asked: tuple[str, ...]) -> None:
    """The longest body and wait are noted from the edge's values, whoever chose the edge."""
    there = ("--cores", "8", "--memory", "24GiB", "--nofile", "20k")
    plan = json.loads(holdfast("plan", "-n", "20k", *there, *asked, "--json").stdout)
    (edge,) = (hop for hop in plan["hops"] if hop["name"] == "edge")
    values = {value["setting"]: value["value"] for value in edge["values"]}
    body, wait = {
        "nginx": ("client_max_body_size", "proxy_read_timeout_s"),
        "haproxy": ("max_body", "timeout_server_s"),
    }[edge["program"]]
    (note,) = (note for note in plan["notes"] if "answers 413" in note)
    assert f"413 to a body over {format_bytes(values[body])}" in note
    assert f"504 where a worker is silent for {format_seconds(values[wait])}" in note
    assert "websockets and header names with `_` do not pass" in note


@pytest.mark.slow
@pytest.mark.beside
@pytest.mark.parametrize("program", PROGRAMS)
def test_up_as_json_says_the_plans_notes_too(program: str) -> None:
    """Where events alone go to stdout, what the edge answers itself is said on stderr."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        asked = ("--port", str(taken.getsockname()[1]), "-n", "10", "--edge", program, "--json")
        done = holdfast("up", "wait:app", "--app-dir", WAIT, *asked)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"note: {program} answers 413 to a body over" in done.stderr


def test_without_an_edge_the_plan_has_none() -> None:
    """`--edge none`: clients reach the workers themselves, and nothing is noted of an edge."""
    plan = json.loads(holdfast("plan", "-n", "2k", "--edge", "none", "--json").stdout)
    assert [hop["name"] for hop in plan["hops"]] == ["kernel", "workers"]
    assert plan["notes"] == []


@BEHIND_NOTHING
@pytest.mark.slow
@pytest.mark.beside
def test_auto_without_either_runs_direct_and_says_so() -> None:
    """The plan notes that no edge is installed, with the packages, and is made all the same."""
    plan = json.loads(hidden("plan", "-n", "2k", "--json").stdout)
    (note,) = plan["notes"]
    assert "`nginx` is not installed, `haproxy` is not installed" in note
    assert "nginx-light or haproxy" in note
    assert "edge" not in {hop["name"] for hop in plan["hops"]}


@BEHIND_NOTHING
@pytest.mark.slow
@pytest.mark.beside
@pytest.mark.parametrize("name", ["up", "prove", "demo"])
def test_an_edge_that_is_not_installed_is_bad_input(name: str) -> None:
    """It is refused before anything starts, with the package that has it."""
    app = ("--app", "wait:app") if name == "demo" else ("wait:app", "--app-dir", WAIT)
    done = hidden(name, *app, "-n", "10", "--edge", "haproxy")
    assert (done.returncode, done.stdout) == (2, "")
    assert "`haproxy` is not installed" in done.stderr
    assert "apt-get install haproxy" in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("program", PROGRAMS)
def test_two_thousand_are_held_through_the_edge(program: str, tmp_path: Path) -> None:
    """`demo --edge`: held, 0 failed, by every witness, with what the edge itself used."""
    out = tmp_path / "result.json"
    asked = (
        "--app",
        "wait:app",
        "-n",
        "2k",
        "--mean-time",
        "1s",
        "--hold",
        "3s",
        "--edge",
        program,
    )
    done = tried("demo", *asked, "--out", str(out), "--json")
    result = json.loads(out.read_text())
    assert (done.returncode, result["verdict"]) == (0, "held"), result["reasons"]
    assert result["failed"] == 0
    assert result["witnesses"]["app"] >= 2_000
    assert result["memory"]["groups"]["edge"] > 0
    walls = {(limit["hop"], limit["resource"]): limit for limit in result["planned"]["limits"]}
    found = walls["edge", "descriptors"]
    assert 4_000 / found["scopes"] <= found["used"] <= found["capacity"]


@pytest.mark.slow
@pytest.mark.parametrize("program", PROGRAMS)
def test_up_serves_behind_the_edge_and_stops_cleanly(program: str) -> None:
    """What is up is proved through the edge, says what it runs with, and ends on TERM with 0."""
    port = free_port()
    asked = ("--port", str(port), "--mean-time", "2s", "-n", "3k", "--edge", program)
    with started("up", "wait:app", "--app-dir", WAIT, *asked) as process:
        try:
            assert process.stderr is not None
            lines: list[str] = []
            err = process.stderr
            wait_until(lambda: lines.append(err.readline()) or "serving on" in lines[-1])
            process.send_signal(signal.SIGUSR1)
            wait_until(lambda: lines.append(err.readline()) or "somaxconn" in lines[-1])
            url = f"http://127.0.0.1:{port}/{{id}}"
            done = tried("prove", url, "-n", "2k", "--hold", "3s", "--mean-time", "2s", "--json")
        finally:
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=60)
    result = json.loads(done.stdout)
    assert (result["verdict"], done.returncode) == ("held", 0), result["reasons"]
    assert result["witnesses"]["app"] >= 2_000
    assert "edge 0 ready\n" in lines
    assert not [line for line in lines if line.startswith("warning")]
    setting = {"nginx": "worker_rlimit_nofile", "haproxy": "maxsock"}[program]
    assert [line for line in lines if line.startswith(f"{setting} ")]
    assert process.returncode == 0


@pytest.mark.slow
@pytest.mark.beside
@pytest.mark.skipif(os.geteuid() != 0, reason="an edge runs as who starts it, unless that is root")
@pytest.mark.parametrize("program", PROGRAMS)
def test_root_that_can_be_nobody_else_is_refused(program: str) -> None:
    """As in a container without capabilities: said before anything starts, with what is missing."""
    words = ("up", "wait:app", "--app-dir", WAIT, "-n", "10", "--mean-time", "1s", "--port", "0")
    done = holdfast(*words, "--edge", program, before=UNPRIVILEGED)
    assert done.returncode == 2
    assert "root without CAP_CHOWN, CAP_SETGID, CAP_SETUID" in done.stderr
    assert "started" not in done.stderr


def test_what_the_edge_is_to_do_needs_an_edge(tmp_path: Path) -> None:
    """`[edge]` in holdfast.toml beside `--edge none` is refused; with one it is planned."""
    told = tmp_path / "holdfast.toml"
    told.write_text("[edge.body]\nmost = '20 MiB'\n")
    asked = ("plan", "-n", "2k", "--config", str(told), "--cores", "8", "--memory", "24GiB")
    refused = holdfast(*asked, "--nofile", "20k", "--edge", "none")
    assert refused.returncode == 2
    assert "`[edge]` asks for what only an edge does" in refused.stderr
    planned = holdfast(*asked, "--nofile", "20k", "--edge", "nginx", "--explain").stdout
    assert "client_max_body_size 20,971,520" in " ".join(planned.split())
