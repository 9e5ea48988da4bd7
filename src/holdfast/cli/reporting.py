"""Writes a result's report where it is asked for. Draws nothing itself, and imports late."""

from __future__ import annotations

from holdfast.cli import say
from holdfast.proof.files import check_writable, write_whole
from holdfast.proof.result import Result


def check_report(path: str | None) -> None:
    """Raise now where no report could be drawn, or not be written to `path`, at the end."""
    if path is None:
        return
    from holdfast.proof.report.svg import check_drawable

    check_drawable()
    check_writable(path, "report")


def write_report(result: Result, path: str) -> None:
    """Draw the report and write it, whole or not at all."""
    from holdfast.proof.report.page import render

    say.say(f"drawing {path}")
    write_whole(render(result), path, "report")
