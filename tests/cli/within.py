"""Runs a command in this process: thousands of times a minute, and whatever it raises is raised."""

from __future__ import annotations

import io
from collections.abc import Mapping
from contextlib import redirect_stdout
from pathlib import Path

from holdfast.cli import say
from holdfast.cli.main import holdfast
from holdfast.model.errors import HoldfastError


def within(*words: str) -> tuple[int, str]:
    """The exit code of `holdfast WORDS` and its stdout; of what else it raises nothing is caught.

    A fault that is known is what the shell would see: its exit code, and its hint in the place of
    the output.
    """
    stdout = io.TextIOWrapper(io.BytesIO(), "utf-8", "backslashreplace", write_through=True)
    before = say.out.file, say.err.file
    say.out.file, say.err.file = stdout, io.StringIO()
    try:
        with redirect_stdout(stdout):
            code = holdfast.main(args=list(words), prog_name="holdfast", standalone_mode=False)
    except HoldfastError as error:
        return error.exit_code, error.hint or ""
    finally:
        say.out.file, say.err.file = before
    return int(code or 0), stdout.buffer.getvalue().decode("utf-8")  # type: ignore[attr-defined]


def put(folder: Path, files: Mapping[str, str | bytes]) -> None:
    """Write the files, by their names below the folder."""
    for name, said in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(said if isinstance(said, bytes) else said.encode("utf-8", "replace"))
