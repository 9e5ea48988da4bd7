"""Files, pages and bodies as a project's file asks for them: refused early, or noted."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.cli.run import holdfast
from tests.edges import INSTALLED

needs_nginx = pytest.mark.skipif(not INSTALLED["nginx"], reason="nginx is not installed")


def project(folder: Path, text: str) -> tuple[str, ...]:
    """Options for a project of that text, whose app is never imported."""
    (folder / "holdfast.toml").write_text(text)
    return "app:app", "--app-dir", str(folder)


FILES = "[[edge.files]]\nurl = '/static/'\nfolder = '{folder}'\n"


@needs_nginx
def test_a_folder_that_cannot_be_served_stops_up_before_it_starts(tmp_path: Path) -> None:
    """What is missing or outside is told by file and key, and nothing has been started."""
    for folder, told in (("none", "no folder"), ("/etc", "lies outside of")):
        asked = project(tmp_path, FILES.format(folder=folder))
        done = holdfast("up", *asked, "-n", "100", "--edge", "nginx")
        assert (done.returncode, done.stdout) == (2, "")
        assert told in done.stderr
        assert "$.edge.files[0].folder" in done.stderr
        assert os.path.join(str(tmp_path), "holdfast.toml") in done.stderr


def test_a_plan_says_which_program_can(tmp_path: Path) -> None:
    """HAProxy serves no files: the plan refuses, and names who does."""
    done = holdfast(
        "plan", *project(tmp_path, FILES.format(folder="x")), "-n", "1k", "--edge", "haproxy"
    )
    assert done.returncode == 2
    assert "HAProxy serves no files" in done.stderr
    assert "--edge nginx" in done.stderr


@needs_nginx
def test_bodies_that_nobody_counted_are_noted(tmp_path: Path) -> None:
    """N of the largest have no room on the disk: a note says so, until a kind says their size."""
    body = "[edge.body]\nmost = '10 TiB'\n"
    kind = "[[demand.kinds]]\nname = 'uploads'\nbody = '1 KiB'\n"
    notes = []
    for text in (body, kind + body):
        asked = project(tmp_path, text)
        notes.append(holdfast("plan", *asked, "-n", "100", "--edge", "nginx").stdout)
    assert ["bodies are not counted" in said for said in notes] == [True, False]
