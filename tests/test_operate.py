"""The guide "operate it" is done as it is written: each command, in order, prints what it shows."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from holdfast.policy.slots import TABLE
from tests.cli.run import REPOSITORY, command, environment
from tests.edges import INSTALLED
from tests.helpers import free_port, wait_until

GUIDE = REPOSITORY / "docs" / "operate.md"
PICTURE = REPOSITORY / "docs" / "operate" / "states.md"
LEFT_OUT = "..."


def steps() -> list[tuple[str, list[str]]]:
    """Each command of the guide, and the lines that are shown below it."""
    blocks = re.findall(r"^```console\n(.*?)^```$", GUIDE.read_text(), re.MULTILINE | re.DOTALL)
    return [(first, lines) for first, *lines in map(str.splitlines, blocks)]


def form(line: str) -> str:
    """A line without its numbers, units and paths, and without how wide its columns are."""
    line = re.sub(r"\d[\d.,]*(?: ?(?:[KMG]iB|[km]|ms|us|s|min|h)\b)?%?", "#", line)
    line = re.sub(r"(?<![\w-])(?:/[\w.-]+)+", "/", re.sub("─+", "─", line))
    return " ".join(line.split())


class Terminal:
    """Where the guide's commands are typed; the stack of the first one runs in another."""

    def __init__(self, folder: Path) -> None:
        self.env = {**environment(), "TMPDIR": str(folder)}
        self.printed = folder / "up"
        self.supervisor = 0

    @contextmanager
    def up(self, line: str) -> Iterator[None]:
        """The stack, once it serves; on a port that is free."""
        with self.printed.open("wb") as out:
            process = subprocess.Popen(
                [*self.words(line), "--port", str(free_port())],
                cwd=REPOSITORY,
                env=self.env,
                stdout=out,
                stderr=out,
                process_group=0,
            )
        self.supervisor = process.pid
        try:
            wait_until(lambda: "serving on" in self.printed.read_text() or process.poll())
            yield
            assert process.wait(60) == 0
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)
                process.wait(60)

    def type(self, line: str) -> str:
        """What a command prints; it ends with 0."""
        done = subprocess.run(
            self.words(line),
            cwd=REPOSITORY,
            env=self.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, f"{line}\n{done.stdout.decode()}"
        return done.stdout.decode()

    def words(self, line: str) -> list[str]:
        program, *words = shlex.split(line)
        if program == "holdfast":
            return command(*words)
        return [program, *(str(self.supervisor) if word == "4711" else word for word in words)]


def judge(line: str, shown: list[str], printed: str) -> None:
    """All that is shown was printed; where nothing is left out, nothing else was."""
    wanted = Counter(form(each) for each in shown if each not in {"", LEFT_OUT})
    found = Counter(form(each) for each in printed.splitlines() if each.strip())
    missing, more = wanted - found, found - wanted
    assert not missing, f"`{line}` does not print {list(missing)}:\n{printed}"
    assert LEFT_OUT in shown or not more, f"`{line}` also prints {list(more)}"


@pytest.mark.slow
@pytest.mark.skipif(not INSTALLED["nginx"], reason="nginx is not installed")
def test_the_guide_is_done_as_it_is_written() -> None:
    """A stack is looked at, reloaded, scaled, drained and ended; every command ends with 0."""
    (first, shown), *others = steps()
    reloads = sum(line.startswith("kill -HUP") for line, _ in others)
    with tempfile.TemporaryDirectory(prefix="t-") as folder:  # sockets have short paths
        terminal = Terminal(Path(folder))
        with terminal.up(first):
            judge(first, shown, terminal.printed.read_text())
            for line, lines in others:
                judge(line, lines, terminal.type(line))
                if line.startswith("kill -HUP"):
                    wait_until(lambda: terminal.printed.read_text().count("reloaded ") > reloads)


def test_the_guide_has_every_command() -> None:
    """What a running stack can be asked is in it."""
    said = {shlex.split(line)[1] for line, _ in steps() if line.startswith("holdfast")}
    assert said == {"up", "status", "logs", "reload", "scale", "drain", "down"}


def test_the_picture_has_every_change_of_the_table_and_no_other() -> None:
    """An arrow from state to state for each row, by what happens."""
    arrows = re.findall(r"^    (\w+) --> (\w+): (\w+)$", PICTURE.read_text(), re.MULTILINE)
    rows = [(old.value, new.value, by.value) for (old, by), new in TABLE.items()]
    assert arrows == rows


def test_what_is_shown_and_not_printed_is_a_fault() -> None:
    """A number may differ and a line may be left out where that is said; a word may not."""
    judge("x", ["took 3 s", LEFT_OUT], "took 12.5 s\nmore\n")
    for shown in (["took 3 s"], ["took 3 s, lost", LEFT_OUT]):
        with pytest.raises(AssertionError):
            judge("x", shown, "took 12.5 s\nmore\n")
