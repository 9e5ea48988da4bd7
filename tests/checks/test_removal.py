"""What goes with a value that is taken out: its option, or its assignment; else it stays."""

from __future__ import annotations

import pytest

from holdfast.checks.removal import around
from holdfast.model.values import Place


@pytest.mark.parametrize(
    ("file", "text", "left"),
    [
        ("run.sh", "gunicorn -w 2 --threads 7 app:app\n", "gunicorn -w 2 app:app\n"),
        ("run.sh", "gunicorn --threads=7 app:app\n", "gunicorn app:app\n"),
        ("Procfile", 'web: gunicorn --threads "7" app:app\n', "web: gunicorn app:app\n"),
        ("a.service", "ExecStart=g \\\n  --threads 7 \\\n  app\n", "ExecStart=g \\\n \\\n  app\n"),
        ("c.py", "workers = 2\nthreads = 7\nbind = ''\n", "workers = 2\nbind = ''\n"),
        ("c.py", "threads = (\n    7\n)\n# é\nbind = ''\n", "# é\nbind = ''\n"),
        ("c.py", "# é\nthreads = 7  # many\n", "# é\n"),
    ],
)
def test_a_value_goes_with_what_names_it(file: str, text: str, left: str) -> None:
    """Nothing of the option or the assignment is left, and nothing else goes."""
    data = text.encode()
    span = around(data, place(file, data))
    assert span is not None
    assert (data[: span.start] + data[span.end :]).decode() == left


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("c.py", "threads = 7\nworkers = threads\n"),
        ("c.py", "N = 7\nthreads = N\n"),
        ("c.py", "threads = workers = 7\n"),
        ("c.py", "if True:\n    threads = 7\n"),
        ("c.py", "threads = 7 +\n"),
        ("compose.yaml", "command: [gunicorn, --threads, '7']\n"),
        ("a.env", "THREADS=7\n"),
    ],
)
def test_what_cannot_be_taken_out_alone_stays(file: str, text: str) -> None:
    """A name that is asked for elsewhere, a list's word or a variable is left to a person."""
    data = text.encode()
    assert around(data, place(file, data)) is None


def place(file: str, data: bytes) -> Place:
    """Where the 7 stands."""
    start = data.index(b"7")
    return Place(file, 1 + data[:start].count(b"\n"), start, start + 1)
