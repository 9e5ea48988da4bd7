"""The unit of a whole stack: what systemd and our own reader make of its text."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from holdfast.model.values import derived
from holdfast.readers.systemd import READER
from holdfast.readers.text import Given, Text
from holdfast.writers.systemd_unit import Unit, quoted, render

ANALYZE = shutil.which("systemd-analyze")
UNIT = Unit(
    name="holdfast-shop",
    app="shop:app",
    in_flight=50_000,
    command=(sys.executable, "-P", "-m", "holdfast"),
    words=("shop:app", "--in-flight", "50k"),
    folder="/srv/shop",
    user="",
    ports=(8_000, 0),
    values=(
        derived("nofile", 13_081, "a formula with numbers"),
        derived("pids_max", 612, "another one"),
        derived("stop_s", 38.0, "a third one"),
    ),
    memory_bytes=2**30,
)
UNITS = {
    "a user made up": UNIT,
    "a user": msgspec.structs.replace(UNIT, user="root"),
    "a port of root's": msgspec.structs.replace(UNIT, ports=(443, 80)),
    "words of all kinds": msgspec.structs.replace(
        UNIT, words=("a b", "%h", "$HOME", 'say "so"', "back\\slash", "it's", ";", "", "line\nend")
    ),
}


def said(unit: Unit, key: str) -> list[str]:
    """What the lines with that key say."""
    (text,) = render(unit).values()
    return [line.partition("=")[2] for line in text.splitlines() if line.startswith(f"{key}=")]


@pytest.mark.skipif(ANALYZE is None, reason="systemd-analyze is not installed")
@pytest.mark.slow
@pytest.mark.parametrize("unit", UNITS.values(), ids=UNITS)
def test_systemd_finds_no_fault(unit: Unit, tmp_path: Path) -> None:
    """`systemd-analyze verify` ends with 0 and says nothing; a wrong line it does see."""
    assert ANALYZE is not None
    ((name, text),) = render(unit).items()
    text = text.replace("/srv/shop", "/tmp")
    for more, faults in (("", 0), ("KillMode=softly\n", 1)):
        (tmp_path / name).write_text(text.replace("KillMode=mixed\n", more or "KillMode=mixed\n"))
        argv = [ANALYZE, "verify", "--man=no", str(tmp_path / name)]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
        assert len(done.stderr.splitlines()) == faults, done.stderr
        assert done.returncode == 0 or faults


@pytest.mark.parametrize("unit", UNITS.values(), ids=UNITS)
def test_a_unit_is_read_back(unit: Unit) -> None:
    """Each value is what the text says, in its unit; no line is a problem."""
    ((name, text),) = render(unit).items()
    read = READER.read(Text(name, text), Given())
    (around,) = read.around
    told = {value.setting: value.value for value in around.values}
    assert {value.setting: told[value.setting] for value in unit.values} == {
        value.setting: value.value for value in unit.values
    }
    assert told["nofile_hard"] == told["nofile"]
    assert told["kill_mode"] == "mixed"
    assert (read.problems, read.hops, read.unread) == ((), (), ())
    assert render(unit) == {name: text}


def test_each_number_stands_below_its_formula() -> None:
    """Limits and times say where they come from; every comment is narrower than 80."""
    (text,) = render(UNIT).values()
    for value, line in zip(UNIT.values, ("LimitNOFILE", "TasksMax", "TimeoutStopSec"), strict=True):
        above = text.partition(f"\n{line}=")[0].rpartition("\n")[2]
        assert above == f"# {value.why}"
    assert max(len(line) for line in text.splitlines() if line.startswith("#")) < 80


def test_a_user_is_given_what_it_needs_and_no_more() -> None:
    """Who is made up where nobody is named; the one capability, and only for a port below 1024."""
    assert (said(UNIT, "DynamicUser"), said(UNIT, "User")) == (["yes"], [])
    named = UNITS["a user"]
    assert (said(named, "DynamicUser"), said(named, "User")) == ([], ["root"])
    assert (said(UNIT, "AmbientCapabilities"), said(UNIT, "CapabilityBoundingSet")) == ([], [""])
    low = UNITS["a port of root's"]
    assert said(low, "AmbientCapabilities") == ["CAP_NET_BIND_SERVICE"]


@pytest.mark.parametrize(
    ("word", "text"),
    [
        ("--port=8000", "--port=8000"),
        ("50%", "50%%"),
        ("$HOME", "$$HOME"),
        ("a b", '"a b"'),
        ("", '""'),
        (";", '";"'),
        ('"', '"\\""'),
        ("\\n", '"\\\\n"'),
    ],
)
def test_a_word_is_the_same_word_to_systemd(word: str, text: str) -> None:
    """Nothing in it is replaced, and it stays one word (systemd.service(5), COMMAND LINES)."""
    assert quoted(word) == text
