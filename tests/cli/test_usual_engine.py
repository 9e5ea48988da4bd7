"""Which engine serves an app where nobody names one: as its text shows, and said in a note."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable
from pathlib import Path
from textwrap import indent
from typing import Any

import pytest

from holdfast.cli.main import holdfast as commands
from holdfast.model.errors import BadInput
from holdfast.sizing.engines import ENGINES as SIZED
from holdfast.wire import ENGINES, USUAL_ENGINES
from tests.cli.run import REPOSITORY, WAIT, holdfast, tried
from tests.cli.test_hosts import TOML
from tests.helpers import free_port

DJANGO = "from django.core.wsgi import get_wsgi_application\napplication = get_wsgi_application()\n"
FLASK = "from flask import Flask\napplication = Flask(__name__)\n"
BARE = "def application(environ, start_response):\n    return []\n"
TORNADO = "import tornado.web\napplication = tornado.web.Application([])\n"
FASTAPI = "from fastapi import FastAPI\napplication = FastAPI()\n"
MADE = "application = make()\n"
APP = "mysite.wsgi:application"
Plan = Callable[..., dict[str, Any]]


def site(folder: Path, text: str | bytes) -> str:
    """Write the module of APP into the folder, and return the folder's name."""
    (folder / "mysite").mkdir()
    module = folder / "mysite" / "wsgi.py"
    module.write_bytes(text if isinstance(text, bytes) else text.encode())
    return str(folder)


@pytest.fixture
def planned(capfd: pytest.CaptureFixture[str]) -> Plan:
    """Return what `holdfast plan WORDS` answers."""

    def plan(*words: str) -> dict[str, Any]:
        argv = ("plan", *words, "-n", "100", "--edge", "none", "--json")
        assert commands(argv, standalone_mode=False) == 0
        found: dict[str, Any] = json.loads(capfd.readouterr().out)
        return found

    return plan


def engine_of(plan: dict[str, Any]) -> str:
    """The engine whose program and settings the plan's workers have."""
    (workers,) = (hop for hop in plan["hops"] if hop["name"] == "workers")
    told = {value["setting"]: value["value"] for value in workers["values"]}
    (name,) = (
        name
        for name, row in SIZED.items()
        if row.program == workers["program"]
        and all(told.get(setting) == kind for setting, kind in row.told)
    )
    return name


def of_engines(plan: dict[str, Any]) -> list[str]:
    """The notes that say who serves the app."""
    return [note for note in plan["notes"] if "--engine" in note]


@pytest.mark.parametrize(
    ("text", "engine", "shown"),
    [
        (DJANGO, "gevent", "WSGI"),
        (FLASK, "gevent", "WSGI"),
        (BARE, "gevent", "WSGI"),
        (TORNADO, "tornado", "Tornado"),
        (FASTAPI, "uvicorn", ""),
        ("async " + BARE.replace("environ, start_response", "scope, receive, send"), "uvicorn", ""),
        (MADE, "uvicorn", ""),
        ("application = (", "uvicorn", ""),
        (b"\xff\xfe" + FLASK.encode(), "uvicorn", ""),
    ],
)
def test_an_app_gets_the_engine_of_what_its_text_shows(
    tmp_path: Path, planned: Plan, text: str | bytes, engine: str, shown: str
) -> None:
    """gevent for WSGI and Tornado for its own, with a note; uvicorn for all else, without one."""
    plan = planned(APP, "--app-dir", site(tmp_path, text))
    note = f"{engine} serves `{APP}`, whose text shows {shown}; `--engine` names another"
    assert engine_of(plan) == engine
    assert of_engines(plan) == ([note] if shown else [])


def test_a_text_that_is_not_there_shows_nothing(tmp_path: Path, planned: Plan) -> None:
    """A module of another folder, and a name that no file can have, leave uvicorn."""
    for app in (APP, "..:application", "\0:application"):
        assert engine_of(planned(app, "--app-dir", str(tmp_path))) == "uvicorn"


def test_the_app_is_not_imported(tmp_path: Path, planned: Plan) -> None:
    """What importing it does has not happened once the plan is there."""
    trace = tmp_path / "trace"
    folder = site(tmp_path, f"open({str(trace)!r}, 'w')\n{FLASK}")
    assert engine_of(planned(APP, "--app-dir", folder)) == "gevent"
    assert not trace.exists()


@pytest.mark.parametrize("engine", ["uvicorn", "gthread"])
def test_an_engine_that_is_said_stays(tmp_path: Path, planned: Plan, engine: str) -> None:
    """`--engine` is obeyed, also where it says what is usual, and nothing is noted."""
    plan = planned(APP, "--app-dir", site(tmp_path, FLASK), "--engine", engine)
    assert engine_of(plan) == engine
    assert of_engines(plan) == []


def test_what_is_preferred_is_chosen_by_its_figures(tmp_path: Path, planned: Plan) -> None:
    """`--prefer` says why it chose the engine, and no other note does."""
    told = ("--prefer", "memory", "--interface", "ASGI")
    plan = planned(APP, "--app-dir", site(tmp_path, FLASK), *told)
    assert plan["notes"][0].startswith(f"--prefer memory: {engine_of(plan)} ")
    assert engine_of(plan) != "gevent"
    assert of_engines(plan) == []


def test_the_app_of_the_projects_file_counts_too(tmp_path: Path, planned: Plan) -> None:
    """Where the command names no app the project's own is looked at."""
    folder = site(tmp_path, TORNADO)
    (tmp_path / "holdfast.toml").write_text(f'app = "{APP}"\n')
    assert engine_of(planned("--app-dir", folder)) == "tornado"


def test_hosts_have_engines_of_their_own(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Where `[[edge.hosts]]` serve the app, nothing is said of an engine here."""
    folder = site(tmp_path, FLASK)
    hosts = TOML.format(free_port(), free_port())
    (tmp_path / "holdfast.toml").write_text(f'app = "{APP}"\n{hosts}')
    argv = ("plan", "--app-dir", folder, "-n", "100", "--edge", "nginx", "--json")
    assert commands(argv, standalone_mode=False) == 0
    assert of_engines(json.loads(capfd.readouterr().out)) == []


def test_a_profile_of_the_usual_engine_stands(planned: Plan) -> None:
    """A profile taken on gevent is what a WSGI app costs, and nothing is moved."""
    taken = str(REPOSITORY / "bench" / "results" / "profile-wait-gevent.json")
    plan = planned("wait_wsgi:app", "--app-dir", WAIT, "--profile", taken)
    (workers,) = (hop for hop in plan["hops"] if hop["name"] == "workers")
    whys = [value["why"] for value in workers["values"]]
    assert engine_of(plan) == "gevent"
    assert not [why for why in whys if "in place of" in why]


@pytest.mark.parametrize("words", [("up",), ("prove",), ("demo", "--app")])
def test_a_missing_engine_names_its_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    """Nothing is started without the package of the engine, and it is said why it is that one."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    folder = site(tmp_path, DJANGO)
    argv = (*words, APP, "--app-dir", folder, "-n", "100", "--edge", "none")
    with pytest.raises(BadInput) as missing:
        commands(argv, standalone_mode=False)
    assert missing.value.fault == "the engine `gevent` needs `gevent`, which is not there"
    assert missing.value.hint == "its text shows WSGI: install `holdfast[gevent]`"
    with pytest.raises(BadInput) as missing:
        commands((*argv, "--engine", "gevent"), standalone_mode=False)
    assert (missing.value.place, missing.value.hint) == ("--engine", "install `holdfast[gevent]`")


def test_every_usual_engine_serves_its_interface() -> None:
    """Who is served by default is served at all."""
    for spoken, engine in USUAL_ENGINES.items():
        assert ENGINES[engine].interface == spoken


@pytest.mark.slow
@pytest.mark.beside
def test_a_machine_is_tuned_for_the_usual_engine() -> None:
    """`tune` plans for the engine that will serve the app, and says which."""
    argv = ("tune", "wait_wsgi:app", "--app-dir", WAIT, "-n", "2k", "--edge", "none", "--json")
    tuned = json.loads(holdfast(*argv).stdout)
    assert of_engines(tuned)[0].startswith("gevent serves `wait_wsgi:app`")


@pytest.mark.slow
@pytest.mark.beside
@pytest.mark.parametrize("words", [("prove",), ("demo", "--idle", "0", "--app")])
def test_a_wsgi_app_holds_without_a_word_of_its_engine(words: tuple[str, ...]) -> None:
    """`prove` and `demo` start it on gevent, and 100 requests are held."""
    asked = ("-n", "100", "--mean-time", "0.5s", "--hold", "1.5s", "--edge", "none", "--json")
    done = tried(*words, "wait_wsgi:app", "--app-dir", WAIT, *asked)
    assert (done.returncode, json.loads(done.stdout)["verdict"]) == (0, "held"), done.stderr


@pytest.mark.slow
@pytest.mark.beside
def test_an_app_that_does_not_show_what_it_speaks_is_told_which_engine_serves_it(
    tmp_path: Path,
) -> None:
    """A WSGI app that a function makes is refused by uvicorn's worker, with the engine to name."""
    made = f"def make():\n{indent(BARE, '    ')}    return application\n"
    folder = site(tmp_path, made + MADE)
    done = holdfast("up", APP, "--app-dir", folder, "-n", "10", "--edge", "none", "--port", "0")
    assert done.returncode == 2
    assert "is a WSGI app" in done.stderr
    assert "--engine gevent" in done.stderr
