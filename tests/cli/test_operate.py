"""The commands for a stack that runs: what they do to it, what they say, whom they find."""

from __future__ import annotations

import json
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.cli.run import WAIT, holdfast, started
from tests.helpers import free_port, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.beside]
WAITING = ("wait:app", "--app-dir", WAIT)
WORDS = ("--mean-time", "1s", "-n", "10", "--edge", "none")


class Up:
    """A stack that `holdfast up` runs, and the lines that it says."""

    def __init__(self, port: int, process: subprocess.Popen[str]) -> None:
        self.port = str(port)
        self.process = process

    def wait_for(self, text: str) -> str:
        """The first line from here on that has the text."""
        assert self.process.stderr is not None
        err = self.process.stderr
        return wait_until(lambda: line if text in (line := err.readline()) else "", what=text)

    def seen(self) -> dict[str, Any]:
        """Its status."""
        done = holdfast("status", self.port, "--json")
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def states(self) -> list[tuple[int, int, str]]:
        """Slot, generation and state of each worker."""
        return [(w["slot"], w["generation"], w["state"]) for w in self.seen()["workers"]]


@contextmanager
def up(*words: str) -> Iterator[Up]:
    """`holdfast up` of an app, once it serves; ended with what it has started."""
    port = free_port()
    with started("up", *words, *WORDS, "--port", str(port)) as process:
        try:
            stack = Up(port, process)
            stack.wait_for("serving on")
            yield stack
        finally:
            if process.poll() is None:
                process.kill()
            process.communicate(timeout=30)


@pytest.fixture(scope="module")
def stack() -> Iterator[Up]:
    with up(*WAITING, "--max-workers", "4") as found:
        yield found


def test_a_reload_brings_new_workers(stack: Up) -> None:
    """Each slot has a newer generation once the command ends, and it has said each step."""
    before = stack.states()
    done = holdfast("reload", stack.port)
    assert done.returncode == 0, done.stderr
    assert "reloaded 1 worker in" in done.stderr
    assert stack.states() == [(slot, generation + 1, "ready") for slot, generation, _ in before]


def test_scaling_up_and_down(stack: Up) -> None:
    """As many workers serve as were asked for, by a number or by one more or fewer."""
    for words, count in (("3", 3), ("+1", 4), ("-1", 3), ("1", 1)):
        done = holdfast("scale", words, stack.port)
        assert done.returncode == 0, done.stderr
        assert len(stack.states()) == count


@pytest.mark.parametrize(
    ("workers", "fault"),
    [
        ("0", "0 workers serve nobody"),
        ("-1", "0 workers serve nobody"),
        ("10000", "10,000 workers do not fit"),
        ("many", "`many` is no number"),
    ],
)
def test_a_number_of_workers_that_cannot_be(stack: Up, workers: str, fault: str) -> None:
    """Refused with what fits, and nothing changes."""
    done = holdfast("scale", workers, stack.port)
    assert done.returncode == 2
    assert fault in done.stderr
    assert "hint: " in done.stderr
    assert len(stack.states()) == 1


def test_signals_do_the_same(stack: Up) -> None:
    """HUP reloads, TTIN and TTOU are one worker more and one fewer."""
    (before,) = stack.states()
    stack.process.send_signal(signal.SIGTTIN)
    wait_until(lambda: [state for *_, state in stack.states()] == ["ready"] * 2)
    stack.process.send_signal(signal.SIGTTOU)
    wait_until(lambda: stack.states() == [before])
    stack.process.send_signal(signal.SIGHUP)
    wait_until(lambda: stack.states() == [(0, before[1] + 1, "ready")])


def test_the_status_for_people(stack: Up) -> None:
    """What it does, each hop's use beside its limit, and a line a worker."""
    text = holdfast("status", stack.port).stdout
    assert text.startswith("serving for ")
    assert f"http://127.0.0.1:{stack.port}" in text
    assert "headroom" in text
    pid = stack.seen()["workers"][0]["pid"]
    assert str(pid) in text
    assert max(map(len, text.splitlines())) <= 80


def test_the_status_for_programs(stack: Up) -> None:
    """Each hop with used, most and headroom; each worker with its counts and its memory."""
    seen = stack.seen()
    assert [hop["resource"] for hop in seen["hops"]] == ["requests", "memory"]
    assert all(h["headroom"] == max(0, h["most"] - h["used"]) for h in seen["hops"])
    (worker,) = seen["workers"]
    assert worker["memory_bytes"] > 2**20
    assert (worker["in_flight"], worker["state"]) == (0, "ready")


def test_a_stack_that_does_not_run() -> None:
    """Exit code 2, and what to do."""
    done = holdfast("status", "1")
    assert done.returncode == 2
    assert "no stack of yours serves `1`" in done.stderr


def test_a_name_that_means_nothing() -> None:
    """Exit code 2, and how a stack is named."""
    done = holdfast("reload", "somewhere")
    assert done.returncode == 2
    assert "names no stack" in done.stderr


def test_a_folder_without_a_stack(tmp_path: Path) -> None:
    """Exit code 2, with the socket that is not there as the place."""
    done = holdfast("down", str(tmp_path))
    assert done.returncode == 2
    assert "no stack listens there" in done.stderr
    assert "control.sock" in done.stderr


def test_drain_and_down() -> None:
    """Drained it has no worker and can be looked at, by its run folder too; down it has ended."""
    with (
        tempfile.TemporaryDirectory(prefix="t-") as folder,
        up(*WAITING, "--run-dir", folder) as stack,
    ):
        done = holdfast("drain", folder)
        assert (done.returncode, "drained in" in done.stderr) == (0, True), done.stderr
        assert stack.seen()["doing"] == "drained"
        assert stack.states() == []
        done = holdfast("status", folder)
        assert "`holdfast down` ends it" in done.stdout
        assert "headroom" not in done.stdout  # there is none for anybody
        assert holdfast("down", folder).returncode == 0
        stack.process.communicate(timeout=30)
        assert stack.process.returncode == 0


SLOW = """
import time
from pathlib import Path

while Path(__file__).with_name("hold").exists():
    time.sleep(0.01)
if Path(__file__).with_name("break").exists():
    raise SystemExit("new and broken")


async def app(scope, receive, send):
    pass
"""


def test_who_waits_for_a_reload_may_leave(tmp_path: Path) -> None:
    """Ctrl-C ends the waiting: exit code 130, and the reload goes on to its end."""
    (tmp_path / "slow.py").write_text(SLOW)
    with up("slow:app", "--app-dir", str(tmp_path)) as stack:
        (tmp_path / "hold").touch()
        with started("reload", stack.port) as asked:
            assert asked.stderr is not None
            assert "reloading 1 worker" in asked.stderr.readline()
            asked.send_signal(signal.SIGINT)
            said = asked.communicate(timeout=30)[1]
        assert (asked.returncode, "what was asked for goes on" in said) == (130, True), said
        (tmp_path / "hold").unlink()
        stack.wait_for("reloaded 1 worker")
        assert stack.states() == [(0, 2, "ready")]


def test_the_last_words_of_new_code_are_said_once(tmp_path: Path) -> None:
    """With the worker that is kept for it; then how the reload has ended, and exit code 1."""
    (tmp_path / "slow.py").write_text(SLOW)
    with up("slow:app", "--app-dir", str(tmp_path)) as stack:
        (tmp_path / "break").touch()
        done = holdfast("reload", stack.port)
        assert done.returncode == 1
        assert done.stderr.count("| SystemExit: new and broken") == 1
        assert done.stderr.endswith("who served before serves on\n")
