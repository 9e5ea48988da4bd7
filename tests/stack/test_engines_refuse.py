"""Engines that cannot serve what they were given: said before anything is served, and why."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path
from typing import Any

import pytest

from holdfast.model.errors import HoldfastError
from holdfast.stack.process import StackProcess
from holdfast.wire import BY_PLACES, ENGINES, USUAL_ENGINES
from tests.stack.driving import APPS, config
from tests.stack.engines import BACKLOG, KIT, fields

pytestmark = pytest.mark.slow

OTHERS = [
    (engine, interface)
    for own, engine in USUAL_ENGINES.items()
    for interface in USUAL_ENGINES
    if interface != own
]
"""Of each interface one engine: an app is looked at before its engine is."""


def refused(**told: Any) -> HoldfastError:
    with StackProcess(config(**told)) as stack:
        stack.start()
        with pytest.raises(HoldfastError) as caught:
            stack.wait_until_ready(60)
        return caught.value


@pytest.mark.parametrize(("engine", "interface"), OTHERS)
def test_an_app_of_another_interface_is_refused(engine: str, interface: str) -> None:
    """The hint names an engine that serves it."""
    error = refused(**fields(engine, app=KIT[interface]))
    assert f"`{KIT[interface]}` is a" in error.fault
    assert interface in error.fault
    named = [name for name in ENGINES if f"`--engine {name}`" in (error.hint or "")]
    assert {ENGINES[name].interface for name in named} == {interface}


@pytest.mark.parametrize("engine", USUAL_ENGINES.values())
def test_the_last_output_of_one_that_ends_while_it_starts_is_shown(
    engine: str, tmp_path: Path
) -> None:
    """A process that is gone before it serves: its exit status, and what it printed last."""
    (tmp_path / "ending.py").write_text("import os\nprint('no licence')\nos._exit(7)\n")
    error = refused(**fields(engine, app="ending:app", app_dir=str(tmp_path)))
    assert "exit status 7 before it was ready" in error.fault
    assert "no licence" in (error.hint or "")


FAILS = """
async def app(scope, receive, send):
    assert scope["type"] == "lifespan"
    await receive()
    {}
"""


@pytest.mark.parametrize("how", ["raise RuntimeError('no database')", "await send(FAILED)"])
@pytest.mark.parametrize(
    "engine", [name for name, row in ENGINES.items() if row.interface == "ASGI"]
)
def test_a_startup_that_fails_is_told(engine: str, how: str, tmp_path: Path) -> None:
    """An app whose lifespan fails at its start is not served, and why is said."""
    failed = 'FAILED = {"type": "lifespan.startup.failed", "message": "no database"}\n'
    (tmp_path / "failing.py").write_text(failed + FAILS.format(how))
    error = refused(**fields(engine, app="failing:app", app_dir=str(tmp_path)))
    assert "the app's startup" in error.fault
    assert "no database" in f"{error.fault} {error.hint}"


PACKAGES = [(engine, name) for engine, row in ENGINES.items() if row.extra for name in row.packages]


@pytest.mark.parametrize(("engine", "name"), PACKAGES)
def test_a_missing_package_names_its_extra(engine: str, name: str, tmp_path: Path) -> None:
    """Where a package of the engine's cannot be imported, the extra that brings it is named."""
    (tmp_path / "sitecustomize.py").write_text(f"import sys\nsys.modules[{name!r}] = None\n")
    path = os.pathsep.join([str(tmp_path), *sys.path])
    error = refused(**fields(engine, env={"PYTHONPATH": path}))
    assert f"the engine `{engine}` needs `{name}`" in error.fault
    assert f"`holdfast[{ENGINES[engine].extra}]`" in (error.hint or "")


def test_an_engine_that_is_none_is_refused() -> None:
    """The names that there are stand in the hint."""
    error = refused(engine="eventlet")
    assert "no engine `eventlet`" in error.fault
    assert all(f"`{name}`" in (error.hint or "") for name in ENGINES)


@pytest.mark.parametrize(
    "engine", [name for name, row in ENGINES.items() if row.caps in {"", BY_PLACES}]
)
def test_a_cap_that_nobody_would_keep_is_refused(engine: str) -> None:
    """An engine without a cap is given none in silence."""
    error = refused(**fields(engine, cap=5))
    assert error.fault == f"the engine `{engine}` caps nothing"


@pytest.mark.parametrize("engine", [name for name, row in ENGINES.items() if row.caps == BY_PLACES])
def test_an_engine_that_lets_in_whoever_comes_needs_places(engine: str) -> None:
    """Without places nobody would keep it from anything."""
    error = refused(**fields(engine, places=None))
    assert error.fault == f"the engine `{engine}` lets in whoever comes"
    assert "`places`" in (error.hint or "")


def test_the_kits_apps_are_there() -> None:
    """Every interface of an engine has its app, and the kernel grants the kit's backlog."""
    apps = {KIT[row.interface].partition(":")[0] for row in ENGINES.values()}
    assert all((APPS / f"{app}.py").exists() for app in apps)
    assert socket.SOMAXCONN > BACKLOG
