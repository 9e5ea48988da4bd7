"""`holdfast results`: shows, compares and draws files, good and bad, and says what is wrong."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from holdfast.cli.results import ASCII_BARS, sparkline
from holdfast.proof.result import write_result
from tests.cli.run import REPOSITORY, command, environment, holdfast, tried
from tests.proof.reported import held, never_began

pytestmark = pytest.mark.beside

NEEDS_MATPLOTLIB = "the extra `report` is not installed"


@pytest.fixture
def good(tmp_path: Path) -> str:
    path = str(tmp_path / "good.json")
    write_result(held(), path)
    return path


@pytest.fixture
def bad(tmp_path: Path) -> str:
    path = str(tmp_path / "bad.json")
    write_result(never_began(), path)
    return path


@pytest.mark.slow
def test_results_are_shown_with_how_they_went(good: str, bad: str) -> None:
    """Each file has its verdict, its figures and its small plots within 80 columns."""
    done = holdfast("results", "show", good, bad)
    assert (done.returncode, done.stderr) == (0, "")
    for verdict, least in (("held", "2,060"), ("not held", "0")):
        told = f"{verdict}: 2,000 in flight were asked, {least} were there at the least"
        assert f"\n{told}" in done.stdout
    assert "220 MiB planned" in done.stdout
    plots = [line for line in done.stdout.splitlines() if " at most" in line]
    assert [line.split()[0] for line in plots] == [
        *("client", "app", "kernel", "answers", "memory", "processor"),
        *("client", "answers", "memory", "processor"),
    ]
    assert max(map(len, plots)) <= 80


@pytest.mark.slow
def test_a_terminal_without_unicode_gets_plain_characters(good: str) -> None:
    """Where the output cannot carry bars the plots are ASCII."""
    env = environment() | {"PYTHONIOENCODING": "ascii"}
    argv = command("results", "show", good)
    done = subprocess.run(argv, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.isascii()
    assert "#" in done.stdout


@pytest.mark.slow
def test_json_is_what_was_written(good: str, bad: str) -> None:
    """`show --json` is the file's object; of several files a list."""
    one = holdfast("results", "show", good, "--json")
    assert json.loads(one.stdout) == json.loads(Path(good).read_text())
    both = json.loads(holdfast("results", "show", good, bad, "--json").stdout)
    assert [result["verdict"] for result in both] == ["held", "not held"]


@pytest.mark.slow
def test_comparing_says_what_is_worse_and_exits_with_it(good: str, bad: str) -> None:
    """A result beside itself is 0 and noise; one that fell is 1, with what is unlike."""
    same = holdfast("results", "compare", good, good)
    assert (same.returncode, same.stderr) == (0, "")
    assert same.stdout.endswith("nothing is worse beyond noise\n")
    fell = holdfast("results", "compare", good, bad)
    assert fell.returncode == 1
    assert "worse: in flight: held, then not held" in fell.stdout
    assert "unlike: hold_s: 20 and 0" in fell.stdout
    assert "worse beyond noise: in flight" in fell.stdout
    assert max(map(len, fell.stdout.replace(bad, "").replace(good, "").splitlines())) <= 80
    told = json.loads(holdfast("results", "compare", good, bad, good, "--json").stdout)
    assert {path: found["figures"][0]["change"] for path, found in told.items()} == {
        bad: "worse",
        good: "noise",
    }


@pytest.mark.slow
def test_a_report_is_written_beside_its_result(good: str, bad: str, tmp_path: Path) -> None:
    """Each result gets its page, whose name is the answer; `--out` names another place."""
    pytest.importorskip("matplotlib", reason=NEEDS_MATPLOTLIB)
    done = holdfast("results", "report", good, bad)
    pages = [path.replace(".json", ".html") for path in (good, bad)]
    assert (done.returncode, done.stdout.split()) == (0, pages)
    assert "drawing" in done.stderr
    out = tmp_path / "other.html"
    assert holdfast("results", "report", good, "--out", str(out)).returncode == 0
    assert out.read_bytes() == Path(pages[0]).read_bytes()
    assert sorted(os.listdir(tmp_path)) == [
        *("bad.html", "bad.json", "good.html", "good.json", "other.html")
    ]


@pytest.mark.slow
def test_a_full_disk_leaves_no_part_of_a_report(good: str) -> None:
    """A device without room is a fault with place and hint."""
    pytest.importorskip("matplotlib", reason=NEEDS_MATPLOTLIB)
    done = holdfast("results", "report", good, "--out", "/dev/full")
    assert done.returncode == 1
    assert "error: the report cannot be written: No space left on device" in done.stderr
    assert "/dev/full" in done.stderr
    assert "hint: " in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("verb", ["show", "compare", "report"])
@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (None, "no result can be read: No such file or directory"),
        ("not JSON", "this is not a result"),
        ('{"version": 2}', "a result of version 2, 1 is known"),
        ("folder", "no result can be read: Is a directory"),
    ],
)
def test_a_file_that_is_no_result_is_bad_input(
    verb: str, text: str | None, fault: str, good: str, tmp_path: Path
) -> None:
    """Missing, other and foreign files are told by place and hint, and nothing is written."""
    path = tmp_path / "wrong.json"
    if text == "folder":
        path.mkdir()
    elif text is not None:
        path.write_text(text)
    before = sorted(os.listdir(tmp_path))
    done = holdfast("results", verb, good, str(path))
    assert (done.returncode, done.stdout) == (2, "")
    assert fault in done.stderr
    assert str(path) in done.stderr
    assert "hint: " in done.stderr
    assert sorted(os.listdir(tmp_path)) == before


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "fault"),
    [
        (("--out", "{folder}"), "the report cannot be written: it is a folder"),
        (("--out", "{folder}/none/x.html"), "the report cannot be written"),
        (("--out", "{good}"), "the report would replace the result"),
        (("{good}", "--out", "x.html"), "one page cannot hold 2 results"),
    ],
)
def test_a_place_that_is_wrong_is_told_before_drawing(
    words: tuple[str, ...], fault: str, good: str, tmp_path: Path
) -> None:
    """A folder, a missing folder, the result itself, and one page for two are refused at once."""
    pytest.importorskip("matplotlib", reason=NEEDS_MATPLOTLIB)
    filled = [word.format(folder=tmp_path, good=good) for word in words]
    done = holdfast("results", "report", good, *filled)
    assert done.returncode in (1, 2)
    assert fault in done.stderr
    assert "drawing" not in done.stderr
    assert os.listdir(tmp_path) == ["good.json"]


@pytest.mark.slow
@pytest.mark.parametrize("words", [("prove", "http://127.0.0.1:9/"), ("demo",)])
def test_a_report_that_could_not_be_written_is_told_before_the_run(
    words: tuple[str, ...], tmp_path: Path
) -> None:
    """A folder as `--report` is refused before anything is planned or started."""
    pytest.importorskip("matplotlib", reason=NEEDS_MATPLOTLIB)
    more = ("-n", "10", "--report", str(tmp_path / "none" / "x.html"))
    done = holdfast(*words, *more)
    assert (done.returncode, done.stdout) == (1, "")
    assert "the report cannot be written" in done.stderr


@pytest.mark.slow
@pytest.mark.alone
def test_a_demo_measures_each_limit_of_its_plan_and_draws_it(tmp_path: Path) -> None:
    """Every limit of the shop's plan has its use, none past its capacity, and the page shows it."""
    pytest.importorskip("matplotlib", reason=NEEDS_MATPLOTLIB)
    out, page = tmp_path / "run.json", tmp_path / "run.html"
    words = ("demo", "-n", "500", "--mean-time", "1s", "--hold", "2s", "--json")
    done = tried(*words, "--out", str(out), "--report", str(page))
    result = json.loads(done.stdout)
    assert result == json.loads(out.read_text())
    limits = {(limit["hop"], limit["resource"]): limit for limit in result["planned"]["limits"]}
    assert [key for key, limit in limits.items() if limit["used"] is None] == []
    clients = result["planned"]["in_flight"]
    descriptors = limits["workers", "descriptors"]
    assert clients <= descriptors["used"] * descriptors["scopes"]
    assert descriptors["used"] <= descriptors["capacity"]
    assert limits["clients", "client sockets"]["used"] == clients + result["planned"]["idle"]
    assert limits["upstream", "ports"]["used"] >= 500
    parts = result["series"]["memory_parts"]
    assert {"workers", "generator", "kernel", "services"} <= set(parts)
    assert {len(column) for column in parts.values()} == {len(result["series"]["at_s"])}
    assert b"Each limit of the plan" in page.read_bytes()


@pytest.mark.slow
def test_matplotlib_is_imported_by_nothing_but_a_report(good: str) -> None:
    """`--help`, `show` and `compare` never load the drawing library."""
    code = (
        "import sys; from holdfast.cli.main import holdfast\n"
        "for words in (['--help'], ['results', '--help'], ['results', 'show', sys.argv[1]],\n"
        "              ['results', 'compare', sys.argv[1], sys.argv[1]], ['demo', '--help']):\n"
        "    holdfast(words, standalone_mode=False)\n"
        "assert 'matplotlib' not in sys.modules and 'numpy' not in sys.modules"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, good],
        env=environment(),
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_a_sparkline_keeps_the_largest_of_each_stretch() -> None:
    """Long series are folded by their largest values, short ones are kept, gaps are blank."""
    assert sparkline([0, 7, 0, 0], 2, "01234567") == "70"
    assert sparkline([1, 2], 10, "012") == "12"
    assert sparkline([None, 4.0, -1.0], 3, "01234") == " 40"
    assert sparkline([0, 0], 2, ASCII_BARS) == "__"
    assert sparkline([], 5) == ""
