"""`demo` and `prove` as commands: verdicts, limits of the shell, interruptions, bad targets."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.cli.run import APPS, WAIT, command, holdfast, started, tried
from tests.helpers import free_port, wait_until

SMALL = ("--in-flight", "2k", "--mean-time", "2s", "--hold", "3s")


@pytest.mark.slow
def test_the_demo_holds_the_shop() -> None:
    """The shop holds 2,000 with 200 idle clients beside, none fails, and the count is exact."""
    done = tried("demo", *SMALL, "--json")
    assert done.returncode == 0, done.stdout[:2000] + done.stderr
    result = json.loads(done.stdout)
    totals = result["totals"]
    assert result["verdict"] == "held"
    assert result["held"] >= 2_000
    assert (result["failed"], result["idle"]) == (0, 200)
    assert min(result["witnesses"].values()) == result["held"]
    assert totals["intended"] == totals["sent"] + totals["unsent"]
    assert totals["sent"] == totals["answered"] + totals["failed"] + totals["unfinished"]


@pytest.mark.slow
@pytest.mark.parametrize("limits", [("1024", "20000"), ("1024", "4096"), ("700", "700")])
def test_the_shells_limits_are_kept_or_refused(limits: tuple[str, str]) -> None:
    """With a soft or hard limit that is low it still holds, or offers a number that then holds."""
    prefix = ["prlimit", f"--nofile={limits[0]}:{limits[1]}"]
    words = ["demo", "--app", "wait:app", "--mean-time", "1s", "--hold", "2s", "--json"]

    def run(in_flight: str) -> subprocess.CompletedProcess[str]:
        return tried(*words, "--in-flight", in_flight, before=prefix)

    done = run("2000")
    if done.returncode == 2:
        fits = done.stderr.split("hint: ")[1].split(" ")[0].replace(",", "")
        done = run(str(int(fits) * 9 // 10))  # what a trial opens above N must fit too
    assert done.returncode == 0, done.stdout[:2000] + done.stderr
    assert json.loads(done.stdout)["verdict"] == "held"


@pytest.mark.slow
def test_an_interrupt_in_the_hold_writes_what_was_measured(tmp_path: Path) -> None:
    """Ctrl-C ends everything, the result is written, and it is not called held."""
    out = tmp_path / "result.json"
    words = ("demo", "--app", "wait:app", "-n", "1k", "--mean-time", "1s", "--hold", "60s")
    with started(*words, "--out", str(out)) as process:
        assert process.stderr is not None
        wait_until(lambda: process.stderr is None or "hold" in process.stderr.readline())
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    result = json.loads(out.read_text())
    assert process.returncode == 1
    assert result["verdict"] == "not held"
    assert any("interrupted" in reason for reason in result["reasons"])
    assert result["answered"] > 0
    assert members(process.pid) == []


@pytest.mark.slow
@pytest.mark.beside
@pytest.mark.parametrize("line", range(3))
def test_an_interrupt_before_the_load_leaves_nothing(line: int) -> None:
    """Ctrl-C while things are being started stops them all; no traceback is shown."""
    with started("demo", *SMALL) as process:
        assert process.stdout is not None
        for _ in range(1 + 8 * line):  # the plan is printed before anything is started
            process.stdout.readline()
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert process.returncode in (1, 130)
    assert "Traceback" not in err
    assert members(process.pid) == []


@pytest.mark.slow
def test_two_demos_run_side_by_side() -> None:
    """A second demo beside the first takes ports of its own, and both hold."""
    words = ("demo", "-n", "200", "--mean-time", "1s", "--hold", "2s", "--json")
    with started(*words) as first, started(*words) as second:
        answers = [json.loads(process.communicate(timeout=120)[0]) for process in (first, second)]
    assert [answer["verdict"] for answer in answers] == ["held", "held"]


@pytest.mark.parametrize(
    ("target", "fault"),
    [
        ("http://example.com/", "not a loopback address"),
        ("http://192.168.1.1/", "not an IPv4 loopback address"),
        ("https://192.168.1.1/", "not an IPv4 loopback address"),
        ("ftp://127.0.0.1/", "neither an http nor an https URL"),
        ("http://127.0.0.1:99999/", "is not a URL"),
        ("shop", "names no app"),
    ],
)
def test_load_goes_to_this_machine_only(target: str, fault: str) -> None:
    """Any other target is bad input, before a socket is opened."""
    done = holdfast("prove", target, "-n", "10")
    assert done.returncode == 2
    assert fault in done.stderr
    assert "hint: " in done.stderr


@pytest.mark.parametrize("edge", ["nginx", "haproxy"])
def test_an_edge_before_a_url_is_bad_input(edge: str) -> None:
    """What is asked for by name is not left out in silence; what is told to choose may be."""
    words = ("prove", f"http://127.0.0.1:{free_port()}/", "-n", "10", "--edge")
    done = holdfast(*words, edge)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"`--edge {edge}` contradicts a URL" in done.stderr
    assert "nothing listens on" in holdfast(*words, "auto").stderr


@pytest.mark.parametrize("target", ["http://127.0.0.1:9/", "wait:app"])
def test_a_result_that_could_not_be_written_is_told_first(target: str, tmp_path: Path) -> None:
    """A folder as `--out` is refused before anything is started."""
    words = ("prove", target, "--app-dir", WAIT, "-n", "10", "--out", str(tmp_path))
    done = holdfast(*words)
    assert done.returncode in (1, 2)
    assert str(tmp_path) in done.stderr
    assert "workers answer" not in done.stderr


@pytest.mark.slow
@pytest.mark.beside
@pytest.mark.parametrize(
    ("app", "folder", "told"),
    [
        ("nowhere:app", APPS, "nowhere"),
        ("wait:nothing", WAIT, "nothing"),
        ("broken:app", APPS, "there_is_no_such_module"),
        ("sulking:app", APPS, "no database at startup"),
    ],
)
@pytest.mark.parametrize("verb", ["up", "prove"])
def test_an_app_that_cannot_start_is_told(verb: str, app: str, folder: str, told: str) -> None:
    """Unknown module or attribute, a fault at import or startup: 2, with fault and hint."""
    more = ("--port", str(free_port())) if verb == "up" else ("--mean-time", "2s")
    done = holdfast(verb, app, "--app-dir", folder, "-n", "100", *more)
    assert done.returncode == 2, done.stderr
    assert "error: " in done.stderr
    assert told in done.stderr
    assert "hint: " in done.stderr


@pytest.mark.slow
def test_a_url_without_an_app_count_has_two_witnesses() -> None:
    """Against any other server the client and the kernel witness, and the result says so."""
    port = free_port()
    server = subprocess.Popen(
        [*command()[:1], "-m", "uvicorn", "wait:app", "--port", str(port), "--no-access-log"],
        cwd=WAIT,
        env={**os.environ, "WAIT_MEAN_S": "1"},
        stderr=subprocess.DEVNULL,
    )
    try:
        words = (f"http://localhost:{port}/{{id}}", "-n", "500", "--hold", "2s", "--json")
        wait_until(lambda: b"" if not _answers(port) else b"yes")
        done = tried("prove", *words)
    finally:
        server.terminate()
        server.wait(30)
    result = json.loads(done.stdout)
    assert done.returncode == 0, done.stdout[:2000] + done.stderr
    assert result["verdict"] == "held"
    assert result["witnesses"]["app"] is None
    assert result["witnesses"]["kernel"] >= 500


def test_nothing_listening_is_told_at_once() -> None:
    """A port that nobody listens on is bad input: no load is started against it."""
    port = free_port()
    done = holdfast("prove", f"http://127.0.0.1:{port}/", "-n", "50", "--json")
    assert (done.returncode, done.stdout) == (2, "")
    assert f"nothing listens on 127.0.0.1:{port}" in done.stderr


def _answers(port: int) -> bool:
    import socket

    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def members(group: int) -> list[int]:
    """The live processes whose environment descends from the command's group or session."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if fields[0] != "Z" and group in (int(fields[2]), int(fields[3])):
                found.append(int(entry.name))
    return found
