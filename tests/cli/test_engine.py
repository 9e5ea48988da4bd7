"""`--engine`: what serves the app, what a plan says of it, and that it holds what was planned."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from holdfast.cli.main import holdfast as commands
from holdfast.model.errors import BadInput
from holdfast.wire import ENGINES
from tests.cli.run import REPOSITORY, WAIT, holdfast, tried

APPS = {"ASGI": "wait:app", "WSGI": "wait_wsgi:app", "Tornado": "wait_tornado:app"}
HOLDING = [name for name in ENGINES if name != "sync"]


def workers(plan: dict[str, Any]) -> dict[str, Any]:
    (hop,) = (hop for hop in plan["hops"] if hop["name"] == "workers")
    return hop


@pytest.mark.parametrize("engine", HOLDING)
def test_a_plan_is_of_the_engine(engine: str) -> None:
    """The workers' program and version are the engine's, and each number says where it is from."""
    done = holdfast("plan", "-n", "500", "--engine", engine, "--edge", "none", "--json")
    hop = workers(json.loads(done.stdout))
    assert hop["version"]
    for value in hop["values"]:
        assert value["why"]
    cost = next(value for value in hop["values"] if value["setting"] == "request_bytes")
    assert engine == "uvicorn" or f"{engine} {hop['version']} in place of uvicorn" in cost["why"]


@pytest.mark.parametrize(("engine", "more"), [("gevent", 0), ("gthread", 1), ("uvicorn", -1)])
def test_a_profile_is_of_its_engine(engine: str, more: int) -> None:
    """On the engine that it was taken on its numbers stand; elsewhere what the two differ by is
    added, and said."""
    taken = str(REPOSITORY / "bench" / "results" / "profile-wait-gevent.json")
    measured = json.loads(Path(taken).read_text())["programs"]["workers"]["request_bytes"]
    asked = ("--profile", taken, "--engine", engine, "--edge", "none", "--json")
    done = holdfast("plan", APPS["WSGI"], "--app-dir", WAIT, "-n", "500", *asked)
    hop = workers(json.loads(done.stdout))
    cost = next(value for value in hop["values"] if value["setting"] == "request_bytes")
    assert (cost["value"] > measured) - (cost["value"] < measured) == more
    assert ("in place of gevent" in cost["why"]) == bool(more)
    assert cost["source"] == "measured"


def test_a_plan_for_sync_is_refused_with_what_it_holds() -> None:
    """One request in a worker: exit code 2, the number that fits, and the way out."""
    done = holdfast("plan", "-n", "20k", "--engine", "sync", "--edge", "none")
    assert done.returncode == 2
    assert "need as many sync workers" in done.stderr
    assert "1 in flight is sure here" in done.stderr
    assert "use an engine that holds more" in done.stderr


@pytest.mark.parametrize("engine", ["gevent", "uvicorn"])
def test_an_engine_beside_a_url_is_refused(engine: str) -> None:
    """Nothing is started for a URL, so that an engine cannot be meant, not the usual one either."""
    done = holdfast("prove", "http://127.0.0.1:1/", "-n", "10", "--engine", engine)
    assert done.returncode == 2
    assert f"`--engine {engine}` contradicts a URL" in done.stderr


PACKAGES = [(engine, name) for engine, row in ENGINES.items() if row.extra for name in row.packages]


@pytest.mark.parametrize(("engine", "name"), PACKAGES)
def test_each_package_of_an_engine_must_be_there(
    engine: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without any one of them nothing is started: exit code 2, with the extra that brings it."""
    monkeypatch.setitem(sys.modules, name, None)
    told = ("prove", APPS[ENGINES[engine].interface], "--app-dir", WAIT, "-n", "10")
    with pytest.raises(BadInput) as caught:
        commands((*told, "--engine", engine, "--edge", "none"), standalone_mode=False)
    assert caught.value.fault == f"the engine `{engine}` needs `{name}`, which is not there"
    assert caught.value.hint == f"install `holdfast[{ENGINES[engine].extra}]`"


@pytest.mark.slow
@pytest.mark.beside
@pytest.mark.parametrize("engine", HOLDING)
def test_an_engine_holds_what_was_planned(engine: str) -> None:
    """100 requests are held on each engine with the caps of its plan, and none fails."""
    app = APPS[ENGINES[engine].interface]
    done = tried(
        *("prove", app, "--app-dir", WAIT, "-n", "100", "--mean-time", "0.5s", "--hold", "1.5s"),
        *("--engine", engine, "--edge", "none", "--json"),
    )
    result = json.loads(done.stdout)
    assert (done.returncode, result["verdict"]) == (0, "held"), done.stderr


@pytest.mark.slow
@pytest.mark.beside
def test_a_wsgi_app_on_an_engine_of_another_kind_is_told_which_serves_it() -> None:
    """What was said is obeyed, and the worker's refusal names the engine that serves the app."""
    told = ("--engine", "uvicorn", "--edge", "none")
    done = holdfast("up", APPS["WSGI"], "--app-dir", WAIT, "-n", "10", *told)
    assert done.returncode == 2
    assert "is a WSGI app" in done.stderr
    assert "--engine gevent" in done.stderr
