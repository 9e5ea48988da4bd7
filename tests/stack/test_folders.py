"""Folders that an edge is to serve: found, held inside the root, and tried as the edge's user."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from holdfast.model.errors import BadInput
from holdfast.model.front.compression import Compression
from holdfast.model.front.errors import ErrorPage
from holdfast.model.front.files import Files
from holdfast.model.front.front import Front
from holdfast.stack import folders
from holdfast.stack.folders import resolved
from tests.stack.asked import open_folder


@pytest.fixture
def root() -> Iterator[Path]:
    """A project's folder that anybody may read."""
    with open_folder() as folder:
        (folder / "site/static").mkdir(parents=True)
        (folder / "site/busy.html").write_text("busy")
        (folder / "beside").mkdir()
        (folder / "site/linked").symlink_to(folder / "beside")
        yield folder / "site"


def front(folder: str, *, outside: bool = False) -> Front:
    """One folder to serve."""
    return Front(files=(Files("/static/", folder, outside=outside),))


def refused(root: Path, asked: Front) -> BadInput:
    """How it is refused."""
    with pytest.raises(BadInput) as caught:
        resolved(asked, str(root), "site/holdfast.toml")
    assert caught.value.place == "site/holdfast.toml"
    assert caught.value.hint
    return caught.value


def test_a_path_starts_at_the_projects_folder(root: Path) -> None:
    """Folders and pages are whole paths, links followed."""
    asked = Front(files=front("static/../static/").files, errors=(ErrorPage((503,), "busy.html"),))
    found = resolved(asked, str(root), "a")
    assert found.files[0].folder == os.path.realpath(root / "static")
    assert found.errors[0].page == os.path.realpath(root / "busy.html")


@pytest.mark.parametrize("folder", ["..", "../beside", "linked", "/etc", "static/../../beside"])
def test_a_folder_outside_is_refused_unless_it_is_meant(root: Path, folder: str) -> None:
    """By `..`, by a link or by its whole path: what lies outside is served only when told so."""
    assert "lies outside of" in refused(root, front(folder)).fault
    assert resolved(front(folder, outside=True), str(root), "a").files[0].folder


@pytest.mark.parametrize(("folder", "page"), [("none", "busy.html"), ("static", "none.html")])
def test_what_is_not_there_is_told(root: Path, folder: str, page: str) -> None:
    """A folder or a page that is missing is named by its key."""
    asked = Front(files=front(folder).files, errors=(ErrorPage((503,), page),))
    assert "no f" in refused(root, asked).fault
    assert "$.edge." in refused(root, asked).fault


@pytest.mark.parametrize("barred", ["site", "site/static"])
def test_a_folder_that_the_edge_may_not_read_is_told(root: Path, barred: str) -> None:
    """The first folder on the way that bars the edge's user is named, with what to type."""
    if os.geteuid():
        pytest.skip("only a stack of root's runs its edge as somebody else")
    path = root.parent / barred
    path.chmod(0o700)
    told = refused(root, front("static"))
    path.chmod(0o755)
    assert f"cannot read `{os.path.realpath(path)}`" in told.fault
    assert "chmod o+x" in (told.hint or "")


def test_a_page_that_the_edge_may_not_read_is_told(root: Path) -> None:
    """A page of errors is opened by the edge's user too."""
    if os.geteuid():
        pytest.skip("only a stack of root's runs its edge as somebody else")
    (root / "busy.html").chmod(0o600)
    told = refused(root, Front(errors=(ErrorPage((503,), "busy.html"),)))
    assert "chmod o+r" in (told.hint or "")


def test_brotli_without_its_module_is_refused(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nginx has no such module that is said, and not left out."""
    monkeypatch.setattr(folders, "MODULES", (str(root),))
    assert "brotli" in refused(root, Front(compression=Compression(brotli=True))).fault
