"""Sync workers serve a request each: what makes them hold more is threads, in file or command."""

from __future__ import annotations

import msgspec
import pytest

from holdfast.checks.mend import changes_for, edited
from holdfast.model.path import Count, Host
from holdfast.programs.catalog import completed
from holdfast.readers.commands import READER as COMMANDS
from holdfast.readers.contract import Reader
from holdfast.readers.gunicorn import READER as GUNICORN
from holdfast.readers.join import join
from holdfast.readers.procfile import READER as PROCFILE
from holdfast.readers.text import Given, Text
from tests.checks.paths import demand

BIND = "bind = '127.0.0.1:8000'\n"


@pytest.mark.parametrize(
    ("reader", "name", "said", "becomes"),
    [
        (GUNICORN, "gunicorn.conf.py", f"{BIND}workers = 4\n", "workers = 4\nthreads = 301\n"),
        (PROCFILE, "Procfile", "web: gunicorn -w 4 a:b\n", "gunicorn -w 4 --threads 301 a:b"),
        (COMMANDS, "run.sh", "gunicorn --workers 4 a:b\n", "--workers 4 --threads 301 a:b"),
        (GUNICORN, "gunicorn.conf.py", f"{BIND}workers = 4\nthreads = 1\n", "threads = 301\n"),
    ],
)
def test_threads_are_raised_and_not_processes(
    reader: Reader, name: str, said: str, becomes: str
) -> None:
    """One worker may meet all clients, so that each has threads for them."""
    mended = _mended(reader, name, said)
    assert mended.after.holds.sure >= 300
    edits = [edit for change in mended.changes for edit in change.edits]
    assert becomes in edited({name: said.encode()}, edits)[name].decode()


def test_a_variable_is_followed_by_nothing() -> None:
    """Where the number of workers is a variable's, threads are left to whoever wrote it."""
    mended = _mended(COMMANDS, "run.sh", "WEB_CONCURRENCY=4 gunicorn a:b\n")
    assert [change.line for change in mended.by_hand] == ["threads = 301"]


def _mended(reader: Reader, name: str, said: str):
    host = Host("here", Count(), 2, 2**34)
    (way,) = join([reader.read(Text(name, said), Given())], host)
    hops = tuple(completed(hop) for hop in way.path.hops)
    return changes_for(msgspec.structs.replace(way.path, hops=hops), demand(300))
