"""`holdfast logs`: what a running stack prints, merged by slot, followed until it ends."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from holdfast.stack.process import StackProcess
from holdfast.stack.run_dir import LOG_BYTES
from tests.cli.run import command, environment, holdfast, started
from tests.helpers import wait_until
from tests.stack.driving import running


@contextmanager
def printing(run_dir: Path, slots: int = 2) -> Iterator[StackProcess]:
    """A stack of workers that print; each has said five lines."""
    with running("chatty:app", slots=slots, most=3, run_dir=str(run_dir)) as stack:
        for slot in range(slots):
            say(run_dir, slot, *(f"line {number} of {slot}" for number in range(5)))
        yield stack


def say(run_dir: Path, slot: int, *lines: str) -> None:
    """Print as the worker of a slot does."""
    with (run_dir / f"slot-{slot}.log").open("a") as log:
        log.writelines(f"{line}\n" for line in lines)


@contextmanager
def following(*words: str) -> Iterator[subprocess.Popen[str]]:
    """`holdfast logs WORDS --follow`, ended at the end."""
    with started("logs", *words, "--follow") as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()
            process.communicate(timeout=30)


def until(process: subprocess.Popen[str], text: str) -> list[str]:
    """The lines that it prints, up to one with the text and those that came with it."""
    assert process.stdout is not None
    pipe, found = process.stdout.fileno(), b""
    while text.encode() not in found or not found.endswith(b"\n"):
        assert select.select([pipe], [], [], 30)[0], f"no `{text}` in {found[-500:]!r}"
        data = os.read(pipe, 2**20)
        assert data, f"it ended without `{text}`: {found[-500:]!r}"
        found += data
    return found.decode().splitlines()


@pytest.mark.slow
def test_the_last_lines_of_each_slot_are_printed(short_path: Path) -> None:
    """Slot by slot, each line with its own; as many as are asked for; only those that are named."""
    with printing(short_path) as stack:
        both = holdfast("logs", str(stack.port), "--lines", "2")
        one = holdfast("logs", str(short_path), "--slot", "1", "--lines", "1", "--json")
        none = holdfast("logs", str(stack.port), "--slot", "7")
        edge = holdfast("logs", str(stack.port), "--edge")
    assert both.stdout.splitlines() == [
        f"slot {slot}  | line {number} of {slot}" for slot in range(2) for number in (3, 4)
    ]
    assert (both.returncode, both.stderr) == (0, "")
    assert json.loads(one.stdout) == {"log": "slot-1", "slot": 1, "text": "line 4 of 1"}
    assert (none.returncode, edge.returncode) == (2, 2)
    assert "`slot-7` has no log" in none.stderr
    assert "there are slot-0, slot-1" in none.stderr
    assert "`edge` has no log" in edge.stderr


@pytest.mark.slow
def test_logs_are_followed_until_the_stack_ends(short_path: Path) -> None:
    """Lines come as they are printed, of new slots, too; the end of the stack is its end."""
    with printing(short_path) as stack, following(str(stack.port), "--lines", "1") as process:
        until(process, "line 4 of 1")
        say(short_path, 1, "first")
        assert until(process, "first") == ["slot 1  | first"]
        say(short_path, 0, "second")
        assert until(process, "second") == ["slot 0  | second"]
        stack.scale(3)
        wait_until((short_path / "slot-2.log").exists)
        say(short_path, 2, "new")
        assert until(process, "new") == ["slot 2  | new"]
        stack.stop()
        assert process.wait(30) == 0
        assert process.stderr is not None
        assert process.stderr.read() == ""
    after = holdfast("logs", str(short_path), "--slot", "2")
    assert after.stdout == "slot 2  | new\n"


@pytest.mark.slow
def test_a_log_that_is_set_aside_is_followed_on(short_path: Path) -> None:
    """Each of 17 MiB of lines is printed once, and what comes in the log that begins anew."""
    with printing(short_path, slots=1) as stack, following(str(stack.port), "--json") as process:
        until(process, "line 4")
        log = short_path / "slot-0.log"
        long = [f"{number} {'x' * 2**20}" for number in range(17)]
        say(short_path, 0, *long)
        wait_until(lambda: log.stat().st_size < LOG_BYTES, what="the log begins anew")
        say(short_path, 0, "anew")
        found = until(process, "anew")
    assert [json.loads(line)["text"] for line in found] == [*long, "anew"]


@pytest.mark.slow
def test_ctrl_c_ends_the_following_and_nothing_else(short_path: Path) -> None:
    """With 0 and without a word; the stack serves on."""
    with printing(short_path) as stack, following(str(stack.port)) as process:
        until(process, "line 4 of 1")
        process.send_signal(signal.SIGINT)
        _, talk = process.communicate(timeout=30)
        assert (process.returncode, talk) == (0, "")
        assert stack.is_alive()


@pytest.mark.slow
def test_a_reader_that_has_left_ends_it(short_path: Path) -> None:
    """`holdfast logs | head` ends as every other writer does, without a traceback."""
    with printing(short_path) as stack:
        reads, writes = os.pipe()
        os.close(reads)
        done = subprocess.run(
            command("logs", str(stack.port)),
            env=environment(),
            stdout=writes,
            stderr=subprocess.PIPE,
            timeout=60,
            check=False,
        )
        os.close(writes)
    assert (done.returncode, done.stderr) == (141, b"")


def test_where_no_stack_has_run_is_told(tmp_path: Path) -> None:
    """A folder without logs is named."""
    done = holdfast("logs", str(tmp_path))
    assert done.returncode == 2
    assert "there are no logs" in done.stderr
    assert str(tmp_path) in done.stderr
