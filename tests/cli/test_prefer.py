"""`--prefer`: the engine and the edge by measured figures, what is said of it, what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from holdfast.cli import prefer as preferring
from holdfast.cli.main import holdfast as commands
from holdfast.facts.rates import Rate, read_rates
from tests.cli.run import WAIT, holdfast
from tests.edges import INSTALLED

pytestmark = [pytest.mark.slow, pytest.mark.beside]

APPS = {"ASGI": "wait:app", "WSGI": "wait_wsgi:app", "Tornado": "wait_tornado:app"}
EDGES = ("none", "nginx", "haproxy")
needs_edges = pytest.mark.skipif(not all(INSTALLED.values()), reason="an edge is not installed")


def planned(*words: str) -> dict[str, Any]:
    done = holdfast("plan", *words, "--json")
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def first(rows: list[Rate]) -> str:
    """How the row with the most answers a second is named."""
    best = max(rows, key=lambda row: row.requests_s)
    return f"{best.engine} " + ("without an edge" if best.edge == "none" else f"behind {best.edge}")


@needs_edges
@pytest.mark.parametrize("interface", APPS)
@pytest.mark.parametrize("in_flight", [500, 20_000, 30_000])
def test_throughput_is_the_fastest_that_was_measured(interface: str, in_flight: int) -> None:
    """The pair with the most answers a second of those measured at such a size, and its figure."""
    size = min(in_flight, max(row.in_flight for row in read_rates().rows))
    rows = [r for r in read_rates().rows if r.interface == interface and r.in_flight >= size]
    rows = [row for row in rows if row.engine != "sync"]
    asked = ("--app-dir", WAIT, "-n", str(in_flight), "--prefer", "throughput")
    notes = planned(APPS[interface], *asked)["notes"]
    assert notes[0].startswith(f"--prefer throughput: {first(rows)}: ")
    assert f"{max(row.requests_s for row in rows):,} answers a second" in notes[0]
    assert read_rates().source in notes[0]
    assert notes[1] == f"the app speaks {interface}: its text shows it"


def test_an_engine_that_nobody_measured_is_left_out(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Without a figure of its own an engine is not chosen for throughput, and that is said."""
    rows = tuple(row for row in read_rates().rows if row.engine != "hypercorn")
    rates = msgspec.structs.replace(read_rates(), rows=rows)
    monkeypatch.setattr(preferring, "read_rates", lambda: rates)
    words = ("plan", "-n", "500", "--prefer", "throughput", "--interface", "ASGI", "--json")
    assert commands(words, standalone_mode=False) == 0
    notes = json.loads(capfd.readouterr().out)["notes"]
    assert "hypercorn is left out: nobody measured what it answers" in notes


@needs_edges
@pytest.mark.alone
def test_memory_is_the_smallest_plan() -> None:
    """No other pair's plan for the same number takes less memory."""
    asked = (APPS["WSGI"], "--app-dir", WAIT, "-n", "5k")
    chosen = planned(*asked, "--prefer", "memory")
    others = [
        planned(*asked, "--engine", engine, "--edge", edge)
        for engine in ("gevent", "gthread")
        for edge in EDGES
    ]
    assert chosen["memory_bytes"] == min(other["memory_bytes"] for other in others)
    assert "sync without an edge is left out: here it holds 1 in flight" in chosen["notes"]


@needs_edges
@pytest.mark.parametrize("edge", EDGES)
def test_an_edge_that_is_named_stays(edge: str) -> None:
    """`--edge` leaves the engine to choose, and one that the choice left out is not said."""
    rows = [row for row in read_rates().rows if (row.interface, row.edge) == ("ASGI", edge)]
    (note, *_) = planned("-n", "2k", "--prefer", "throughput", "--edge", edge)["notes"]
    assert note.startswith(f"--prefer throughput: {first(rows)}: ")


@needs_edges
def test_what_only_an_edge_does_asks_for_one(tmp_path: Path) -> None:
    """With `[edge]` in the project's file no pair without an edge is chosen."""
    (tmp_path / "holdfast.toml").write_text('[edge.body]\nmost = "2MiB"\n')
    for prefer in ("throughput", "memory"):
        plan = planned("-n", "2k", "--app-dir", str(tmp_path), "--prefer", prefer)
        assert "edge" in {hop["name"] for hop in plan["hops"]}


def test_an_app_that_does_not_show_its_interface_is_imported(tmp_path: Path) -> None:
    """A child imports it with the project's variables; what it prints is in nobody's way."""
    (tmp_path / "holdfast.toml").write_text('[env]\nSITE = "x"\nMEAN = "{mean_s}"\n')
    (tmp_path / "site_app.py").write_text(
        "import os\nassert os.environ['SITE'] == 'x' and 'MEAN' not in os.environ\nprint('hello')\n"
        "def made():\n    def app(environ, start_response):\n        return []\n    return app\n"
        "app = made()\n"
    )
    asked = ("site_app:app", "--app-dir", str(tmp_path), "-n", "100", "--prefer", "memory")
    assert "the app speaks WSGI: it was imported and looked at" in planned(*asked)["notes"]


@pytest.mark.parametrize(
    ("text", "fault", "hint"),
    [
        ("app = 1 / 0", "raised ZeroDivisionError", "site_app.py:1"),
        ("import os\nos._exit(0)", "importing `site_app:app` ended the process", "--interface"),
        ("app = lambda *all: None", "does not show whether it speaks", "--interface ASGI"),
        ("other = 1", "has no attribute `app`", ""),
    ],
)
def test_an_app_that_cannot_be_looked_at_is_told(
    tmp_path: Path, text: str, fault: str, hint: str
) -> None:
    """Exit code 2, with what is wrong and the way out; `--interface` needs no look."""
    (tmp_path / "site_app.py").write_text(text)
    asked = ("plan", "site_app:app", "--app-dir", str(tmp_path), "-n", "100", "--prefer", "memory")
    done = holdfast(*asked)
    assert done.returncode == 2
    assert fault in done.stderr
    assert hint in done.stderr
    assert holdfast(*asked, "--interface", "wsgi").returncode == 0


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        (("plan", "-n", "2k", "--prefer", "memory", "--engine", "uvicorn"), "`--engine uvicorn`"),
        (("prove", "http://127.0.0.1:1/", "-n", "9", "--prefer", "memory"), "contradicts a URL"),
        (("plan", "-n", "2k", "--interface", "WSGI"), "`--interface` is for `--prefer`"),
    ],
)
def test_a_contradiction_is_refused(words: tuple[str, ...], fault: str) -> None:
    """What chooses and what names an engine do not go together, nor a choice of nothing."""
    done = holdfast(*words)
    assert done.returncode == 2
    assert fault in done.stderr
    assert "hint: " in done.stderr


@pytest.mark.alone
def test_a_tuning_is_of_the_engine() -> None:
    """`tune --engine` plans for the engine, and `tune --prefer` says which it has chosen."""
    tuned = [
        json.loads(holdfast("tune", "-n", "5k", "--edge", "none", *words, "--json").stdout)
        for words in (
            ("--engine", "gthread"),
            ("--engine", "gevent"),
            ("--prefer", "memory", "--interface", "WSGI"),
        )
    ]
    gthread, gevent, chosen = (one["narrower"] for one in tuned)
    assert gthread["workers"] > gevent["workers"]
    assert chosen == gevent
    assert tuned[2]["notes"][0].startswith("--prefer memory: gevent without an edge: ")


@pytest.mark.alone
def test_what_is_preferred_runs() -> None:
    """`prove` starts the pair that was chosen, and it holds."""
    done = holdfast(
        *("prove", APPS["WSGI"], "--app-dir", WAIT, "-n", "100", "--mean-time", "1s"),
        *("--hold", "3s", "--prefer", "throughput", "--json"),
    )
    result = json.loads(done.stdout)
    assert (done.returncode, result["verdict"]) == (0, "held"), done.stderr
