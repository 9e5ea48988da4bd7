"""What is said of an app that cannot be imported: fault, place and hint, case by case."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from holdfast.worker.failure import Failure
from holdfast.worker.load_app import load_app

GOOD = "async def app(scope, receive, send): ...\nlimit = 5\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Yield a folder first on the import path; what was imported from it is forgotten."""
    monkeypatch.syspath_prepend(str(tmp_path))
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


def failure(folder: Path, target: str, text: str = GOOD) -> Failure:
    (folder / "shop_of_test.py").write_text(text)
    with pytest.raises(Failure) as caught:
        load_app(target, str(folder))
    return caught.value


def test_an_app_is_found(folder: Path) -> None:
    """`module:attribute` gives the object of that name, attributes of attributes too."""
    (folder / "shop_of_test.py").write_text("class C:\n    async def app(*a): ...\n")
    assert load_app("shop_of_test:C.app", str(folder)).__name__ == "app"


def test_an_unknown_module(folder: Path) -> None:
    """The module is named, with the folder that was searched and the nearest name there."""
    found = failure(folder, "shop_of_tset:app")
    assert found.fault == "there is no module `shop_of_tset`"
    assert found.place == str(folder)
    assert found.hint == "did you mean `shop_of_test`?"


def test_an_unknown_attribute(folder: Path) -> None:
    """The attribute is named, with the file, and the nearest callable of the module."""
    found = failure(folder, "shop_of_test:ap")
    assert found.fault == "module `shop_of_test` has no attribute `ap`"
    assert found.place == str(folder / "shop_of_test.py")
    assert found.hint == "did you mean `shop_of_test:app`?"


def test_an_attribute_that_cannot_be_called(folder: Path) -> None:
    """A number is not an app, and its type is named."""
    assert "of type int" in failure(folder, "shop_of_test:limit").fault


def test_a_wsgi_app(folder: Path) -> None:
    """A WSGI app is recognised before a request fails on it."""
    found = failure(folder, "shop_of_test:app", "def app(environ, start_response): ...\n")
    assert "WSGI" in found.fault


def test_a_module_that_imports_what_is_not_there(folder: Path) -> None:
    """The missing module is named, where it is imported, and for which Python to install it."""
    found = failure(folder, "shop_of_test:app", "x = 1\nimport not_there_at_all.deep\n")
    assert found.fault == "`shop_of_test` imports `not_there_at_all`, which is not there"
    assert found.place == "shop_of_test.py:2"
    assert found.hint == f"install `not_there_at_all` for {sys.executable}"


@pytest.mark.parametrize(
    ("text", "name", "line"),
    [
        ("\nraise ValueError('no database')\n", "ValueError: no database", 2),
        ("import json\njson.loads('{')\n", "JSONDecodeError: Expecting property name", 2),
        ("raise SystemExit(1)\n", "SystemExit: 1", 1),
        ("x = 1\nx = = 2\n", "SyntaxError: invalid syntax", 2),
    ],
)
def test_a_module_that_raises(folder: Path, text: str, name: str, line: int) -> None:
    """The exception is named, at the app's own line, with the end of its traceback."""
    found = failure(folder, "shop_of_test:app", text)
    assert found.fault.startswith(f"importing `shop_of_test` raised {name}")
    assert found.place == f"shop_of_test.py:{line}"
    assert name.split(":", maxsplit=1)[0] in found.trace
    assert "importlib" not in found.trace


@pytest.mark.parametrize("target", ["shop_of_test", ":app", "shop_of_test:"])
def test_a_name_that_names_no_app(folder: Path, target: str) -> None:
    """Both halves of `module:attribute` are needed."""
    assert failure(folder, target).fault == f"`{target}` names no app"
