"""The real command in a terminal that changes, is interrupted, or loses its reader."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
from pathlib import Path

import pytest

from tests.cli.run import SHOP, WAIT, command, environment, tried
from tests.cli.terminal import CTRL_C, Terminal, terminal
from tests.helpers import free_port, wait_until
from tests.stack.driving import marked

PLAN = ("plan", "-n", "50k", "--cores", "2", "--memory", "24GiB")
TAG = "HOLDFAST_TEST"
RUN = ("prove", "wait:app", "--app-dir", WAIT, "-n", "200")


def tagged(tag: str) -> dict[str, str]:
    """An environment by which whatever the command starts can be found; it has every colour."""
    return {**environment(), "TERM": "xterm-256color", TAG: f"{tag}-{os.getpid()}"}


def started_in(env: dict[str, str]) -> set[int]:
    """The live processes of a tagged environment."""
    return marked(f"{TAG}={env[TAG]}")


def workers_of(env: dict[str, str]) -> set[int]:
    """Those of them that serve."""
    found = set()
    for pid in started_in(env):
        with contextlib.suppress(OSError):
            if b"holdfast.worker" in Path(f"/proc/{pid}/cmdline").read_bytes():
                found.add(pid)
    return found


@pytest.mark.parametrize("words", [PLAN, (*PLAN, "--json"), (*PLAN, "--explain")])
def test_a_reader_that_has_left_ends_it_without_a_word(words: tuple[str, ...]) -> None:
    """Writing to a pipe that nobody reads is exit code 141, as SIGPIPE's, and silence."""
    theirs, ours = os.pipe()
    os.close(theirs)
    done = subprocess.run(
        command(*words), env=environment(), stdout=ours, stderr=subprocess.PIPE, check=False
    )
    os.close(ours)
    assert (done.returncode, done.stderr) == (141, b"")


@pytest.mark.slow
def test_a_terminal_that_is_resized_stays_readable() -> None:
    """Made narrower and wider during the hold, the run goes on and the verdict fits the width."""
    words = (*RUN, "--mean-time", "400ms", "--hold", "3s")
    with terminal(command(*words), tagged("resized"), columns=120) as shown:
        shown.read_until("1/3 s")
        shown.resize(60)
        shown.read_until("2/3 s")
        shown.resize(50)
        code = shown.wait()
    assert code == 0
    verdict = [index for index, line in enumerate(shown.lines) if line.startswith("held: ")]
    assert len(verdict) == 1
    assert any(line.startswith("  memory ") for line in shown.lines[verdict[0] :])
    assert sum(line.startswith("client ") for line in shown.lines) == 1


def interrupted(words: tuple[str, ...], at: str, mark: str, times: int = 1) -> tuple[int, Terminal]:
    """Ctrl-C as soon as the text is seen; the exit code, once nothing of the command is left."""
    env = tagged(mark)
    with terminal(command(*words), env) as shown:
        shown.read_until(at)
        shown.press(CTRL_C * times)
        code = shown.wait()
    wait_until(lambda: not started_in(env), what="nothing is left")
    assert "Traceback" not in "\n".join(shown.lines)
    return code, shown


@pytest.mark.slow
@pytest.mark.beside
@pytest.mark.parametrize("at", ["starting upstream", "starting 1 worker"])
def test_ctrl_c_while_things_are_started_stops_them(at: str) -> None:
    """Exit code 130; it says that what was started has been stopped, and that is so."""
    words = ("prove", "shop:app", "--app-dir", SHOP, "-n", "200", "--mean-time", "1s")
    code, shown = interrupted(words, at, "starting")
    assert code == 130
    assert shown.lines[-1] == "interrupted; whatever was started has been stopped"


@pytest.mark.slow
@pytest.mark.parametrize("at", ["opening", "/60 s"])
def test_ctrl_c_under_load_is_a_verdict(at: str) -> None:
    """Exit code 1: not held, and the reason is the interruption."""
    words = (*RUN, "--mean-time", "1s", "--hold", "60s")
    code, shown = interrupted(words, at, "load")
    text = "\n".join(shown.lines)
    assert code == 1
    assert "\nnot held: 200 in flight were asked" in text
    assert "\n  because    interrupted after" in text


@pytest.mark.slow
def test_a_second_ctrl_c_does_not_cost_the_result(tmp_path: Path) -> None:
    """Whoever is impatient still gets the verdict, and the file that was asked for."""
    out = tmp_path / "result.json"
    words = (*RUN, "--mean-time", "1s", "--hold", "60s", "--out", str(out))
    code, shown = interrupted(words, "/60 s", "twice", times=2)
    assert code == 1
    assert "".join(shown.lines).endswith(f"written to {out}")  # the terminal breaks a long line
    assert json.loads(out.read_text())["verdict"] == "not held"


@pytest.mark.slow
def test_ctrl_c_while_answers_are_waited_for_ends_the_wait() -> None:
    """The hold is over and counts; what was in flight is unfinished and not waited for."""
    words = (*RUN, "--mean-time", "3s", "--hold", "1s")
    code, shown = interrupted(words, "letting go", "letting go")
    unfinished = [line for line in shown.lines if line.endswith(" unfinished")]
    assert code == 0
    assert len(unfinished) == 1
    assert not unfinished[0].endswith(" 0 unfinished")


@pytest.mark.slow
@pytest.mark.beside
def test_up_serves_on_when_nobody_reads_what_it_says() -> None:
    """Both readers of a stack's words leave; it still answers, and a signal ends it cleanly."""
    port, env = free_port(), tagged("up")
    words = ("up", "wait:app", "--app-dir", WAIT, "-n", "10", "--port", str(port))
    with subprocess.Popen(
        command(*words), env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        err = process.stderr
        wait_until(lambda: "serving on" in err.readline())
        process.stdout.close()
        err.close()
        before = workers_of(env)
        os.kill(min(before), signal.SIGKILL)
        wait_until(lambda: workers_of(env) - before, what="a successor")
        with socket.create_connection(("127.0.0.1", port), 30) as client:
            client.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            answer = client.recv(100)
        process.terminate()
        code = process.wait(60)
    assert answer.startswith(b"HTTP/1.1 200")
    assert code == 0
    wait_until(lambda: not started_in(env), what="nothing is left")


@pytest.mark.slow
@pytest.mark.beside
@pytest.mark.parametrize("app", ["wait:app", "shop:app"])
def test_json_stands_alone_on_stdout(app: str) -> None:
    """With --json stdout is one JSON value and stderr is empty, whatever is started meanwhile."""
    folder = {"wait:app": WAIT, "shop:app": SHOP}[app]
    words = ("-n", "100", "--mean-time", "400ms", "--hold", "1s", "--json")
    done = tried("prove", app, "--app-dir", folder, *words)
    assert (json.loads(done.stdout)["verdict"], done.stderr) == ("held", "")
