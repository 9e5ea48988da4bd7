"""Asks a stack's port over HTTP, one connection a question; and folders that anybody may read."""

from __future__ import annotations

import contextlib
import http.client
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from holdfast.stack.process import StackProcess


class Answer(NamedTuple):
    """What came back; the names of headers in small letters."""

    status: int
    headers: dict[str, str]
    body: bytes


def ask(port: int, path: str, method: str = "GET", body: bytes = b"", **headers: str) -> Answer:
    """One request, its path as it is written; `_` in a header's name stands for `-`."""
    told = {"Host": "x"} | {name.replace("_", "-"): value for name, value in headers.items()}
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as client:
        client.request(method, path, body or None, told)
        answer = client.getresponse()
        found = {name.lower(): value for name, value in answer.getheaders()}
        return Answer(answer.status, found, answer.read())


def started(stack: StackProcess) -> int:
    """Requests that have reached the app so far."""
    return sum(row.started for row in stack.gauge.read())


@contextlib.contextmanager
def open_folder() -> Iterator[Path]:
    """A folder that the edge's user may read, unlike one of pytest's."""
    folder = Path(tempfile.mkdtemp(prefix="holdfast-test-"))
    os.chmod(folder, 0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)
