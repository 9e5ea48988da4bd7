"""The cases of each reader, and how they are renewed: `python -m tests.readers.judged NAME`.

What is renewed is read by whoever renews it: git shows the difference.
"""

from __future__ import annotations

import sys
from pathlib import Path

from holdfast.readers.catalog import READERS
from holdfast.readers.contract import Reader
from holdfast.testing.cases import Case, load, load_all, renew
from holdfast.testing.readers import answer

FOLDER = Path(__file__).parent
NAMES = {
    "nginx": "nginx.conf",
    "haproxy": "haproxy.cfg",
    "gunicorn": "gunicorn.conf.py",
    "systemd": "app.service",
    "sysctl": "sysctl.conf",
    "limits": "limits.conf",
    "compose": "compose.yaml",
    "dockerfile": "Dockerfile",
    "procfile": "Procfile",
    "commands": "start.sh",
}
"""What the only file of a case is called, where that is not the reader's name."""


def cases() -> list[tuple[Reader, Case]]:
    """Every reader with each of its cases."""
    return [
        (reader, case)
        for reader in READERS
        for case in load_all(FOLDER / reader.name, NAMES.get(reader.name, reader.name))
    ]


if __name__ == "__main__":
    for reader in (reader for reader in READERS if reader.name in sys.argv[1:]):
        for path in sorted((FOLDER / reader.name).glob("*.case")):
            case = load(path, NAMES.get(reader.name, reader.name))
            renew(path, answer(reader, case))
