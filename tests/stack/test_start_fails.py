"""An app that cannot be served: what is said, and that nothing stays behind."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from holdfast.model.errors import BadInput, HoldfastError
from holdfast.stack.process import StackProcess
from tests.helpers import wait_until
from tests.stack.driving import config, marked

pytestmark = pytest.mark.slow

APP = "async def app(scope, receive, send): ...\n"
STARTUP = """
import sys
async def app(scope, receive, send):
    assert scope["type"] == "lifespan"
    await receive()
    sys.stderr.write("opening the database\\n")
    {}
"""
FAST = """
from contextlib import asynccontextmanager
from fastapi import FastAPI
@asynccontextmanager
async def lifespan(app):
    raise RuntimeError("no database")
    yield
app = FastAPI(lifespan=lifespan)
"""

# module text, target, what the fault, the place and the hint must say
CASES: dict[str, tuple[str, str, str, str, str]] = {
    "unknown module": (APP, "shp:app", "no module `shp`", "", "did you mean `shop`?"),
    "unknown attribute": (APP, "shop:ap", "no attribute `ap`", "shop.py", "`shop:app`?"),
    "not callable": ("app = 5", "shop:app", "type int", "shop.py", "ASGI"),
    "no attribute named": (APP, "shop", "`shop` names no app", "", "module:attribute"),
    "raises at import": (
        "\n1 / 0\n",
        "shop:app",
        "importing `shop` raised ZeroDivisionError: division by zero",
        "shop.py:2",
        "1 / 0",
    ),
    "exits at import": ("exit(4)", "shop:app", "raised SystemExit: 4", "shop.py:1", "exit(4)"),
    "imports what is not there": (
        "import not_there",
        "shop:app",
        "imports `not_there`",
        "shop.py:1",
        "install `not_there`",
    ),
    "raises at startup": (
        STARTUP.format("raise RuntimeError('no database')"),
        "shop:app",
        "the app's startup raised RuntimeError: no database",
        "shop.py:7",
        "raise RuntimeError",
    ),
    "says that startup failed": (
        STARTUP.format("await send({'type': 'lifespan.startup.failed', 'message': 'no disk'})"),
        "shop:app",
        "the app's startup failed",
        "",
        "no disk",
    ),
    "raises at startup in FastAPI": (
        FAST,
        "shop:app",
        "the app's startup raised RuntimeError: no database",
        "shop.py:6",
        "no database",
    ),
    "ends the process": (
        "import os, sys\nsys.stderr.write('farewell\\n')\nos._exit(7)",
        "shop:app",
        "ended with exit status 7 before it was ready",
        "",
        "farewell",
    ),
    "is killed": (
        "import os\nos.kill(os.getpid(), 9)",
        "shop:app",
        "ended with signal SIGKILL",
        "",
        "it printed nothing",
    ),
}


@pytest.fixture
def mark(monkeypatch: pytest.MonkeyPatch) -> str:
    """Put a mark into the environment of everything that the test starts, and return it."""
    mark = f"mark-{os.urandom(8).hex()}"
    monkeypatch.setenv("HOLDFAST_TEST_MARK", mark)
    return mark


def refused(**fields: Any) -> HoldfastError:
    """The error of a stack that does not start."""
    with StackProcess(config(**fields)) as stack:
        stack.start()
        with pytest.raises(HoldfastError) as caught:
            stack.wait_until_ready(60)
        wait_until(lambda: not stack.is_alive())
    return caught.value


@pytest.mark.parametrize("case", CASES)
def test_an_app_that_cannot_be_served(case: str, mark: str, tmp_path: Path) -> None:
    """Fault, place and hint say what is wrong; it is bad input; nothing is left running."""
    text, target, fault, place, hint = CASES[case]
    (tmp_path / "shop.py").write_text(text)
    error = refused(app=target, app_dir=str(tmp_path))
    assert isinstance(error, BadInput)
    assert fault in error.fault
    assert place in (error.place or "")
    assert hint in (error.hint or "")
    assert marked(mark) == set()


def test_an_app_that_never_gets_ready(mark: str, tmp_path: Path) -> None:
    """A startup that takes longer than it may is ended, and its last output is quoted."""
    (tmp_path / "shop.py").write_text(STARTUP.format("await receive()"))
    error = refused(app="shop:app", app_dir=str(tmp_path), start_s=1.5)
    assert error.fault == "the app was not ready after 1.5 s"
    assert "opening the database" in (error.hint or "")
    assert marked(mark) == set()


def test_an_app_without_lifespan_is_served(tmp_path: Path) -> None:
    """An app that refuses the lifespan scope, as the specification allows, starts."""
    (tmp_path / "shop.py").write_text(
        "async def app(scope, receive, send):\n    assert scope['type'] == 'http'\n"
    )
    with StackProcess(config(app="shop:app", app_dir=str(tmp_path), slots=1)) as stack:
        stack.start()
        stack.wait_until_ready(60)
        assert stack.is_alive()


def test_a_second_stack_on_the_port_is_refused() -> None:
    """The second of two stacks says who holds the port; the first is not disturbed."""
    with StackProcess(config(slots=1)) as first:
        first.start()
        first.wait_until_ready(60)
        error = refused(port=first.port)
        assert error.fault.startswith(f"port {first.port} is taken by `")
        assert error.exit_code == 2
        assert first.is_alive()


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """The app's folder must exist."""
    assert "there is no folder" in refused(app_dir=str(tmp_path / "none")).fault
