"""What the pages say to type is understood: each line of `holdfast` and `scripts/` is tried.

A `plan` is run; of everything else the words are read as the command reads them, and no more.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest

from holdfast.cli.main import COMMANDS, holdfast
from tests.cli.run import REPOSITORY, command, environment

PAGES = ("README.md", "CONTRIBUTING.md", "docs", "examples")


def lines() -> list[tuple[str, str]]:
    """(page, line) of every indented or fenced line that runs a command of ours."""
    found = []
    for name in PAGES:
        top = REPOSITORY / name
        for page in [top] if top.is_file() else sorted(top.rglob("*.md")):
            for line in re.findall(
                r"^ *((?:holdfast|scripts/\w+)(?: .*)?)$", page.read_text(), re.MULTILINE
            ):
                found.append((page.relative_to(REPOSITORY).as_posix(), line))
    return found


def help_lines() -> list[tuple[str, str]]:
    """(command, line) of every example in a command's help."""
    found = []
    for name in COMMANDS:
        with click.Context(holdfast) as context:
            one = holdfast.get_command(context, name)
        assert one is not None
        examples = re.findall(r"^ *(holdfast .*)$", one.help or "", re.MULTILINE)
        found += [(name, line) for line in examples]
    return found


@pytest.mark.parametrize(("page", "line"), [*lines(), *help_lines()])
def test_what_a_page_says_to_type_is_understood(page: str, line: str) -> None:
    """Scripts are there, options are known, and targets and numbers can be read."""
    program, *words = shlex.split(line.partition(" | ")[0], comments=True)
    if program != "holdfast":
        assert (REPOSITORY / program).is_file()
        return
    with click.Context(holdfast) as context:
        one = holdfast.get_command(context, words[0])
        assert one is not None, f"{page}: {line}"
        one.make_context(words[0], words[1:], parent=context)


@pytest.mark.parametrize("line", sorted({line for _, line in lines() if "holdfast plan" in line}))
def test_a_plan_of_a_page_runs(line: str) -> None:
    """It ends with 0, from the repository's folder."""
    done = subprocess.run(
        command(*shlex.split(line)[1:]),
        cwd=REPOSITORY,
        env=environment(),
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a page of a copy of the generator, with one block that is stale."""
    for name in ("docs/pages.py", "README.md"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text((REPOSITORY / name).read_text())
    page = tmp_path / "README.md"
    page.write_text("before\n<!-- text: echo new -->\nold\n<!-- end -->\nafter\n")
    return page


def pages(page: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the generator that lies beside the page."""
    argv = [sys.executable, str(page.parent / "docs/pages.py"), *words]
    return subprocess.run(argv, capture_output=True, text=True, check=False)


def test_a_stale_page_is_told_and_kept(page: Path) -> None:
    """`--check` ends with 1, names the page and the command, and writes nothing."""
    before, done = page.read_text(), pages(page, "--check")
    assert done.returncode == 1
    assert done.stderr == "error: README.md is stale\nhint: run `scripts/generate`\n"
    assert page.read_text() == before


def test_a_page_is_written_once(page: Path) -> None:
    """The block becomes what its command prints; then the page is no longer stale."""
    assert pages(page).returncode == 0
    block = "<!-- text: echo new -->\n```\nnew\n```\n<!-- end -->"
    assert page.read_text() == f"before\n{block}\nafter\n"
    assert (pages(page, "--check").returncode, pages(page).stdout) == (0, "")


def test_a_command_that_fails_leaves_the_page(page: Path) -> None:
    """A block whose command ends with a fault is no empty block."""
    page.write_text(page.read_text().replace("echo new", "exit 3"))
    before = page.read_text()
    assert pages(page).returncode != 0
    assert page.read_text() == before
