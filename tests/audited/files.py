"""Stacks as people write them: folders of configuration whose placeholders are filled by a seed.

`@conns:40-80@` is a number drawn between the two and `@conns@` the same again; `@run@` is a folder
for sockets and logs, `@bin@` that of the servers; every other name is a TCP port. A name that ends
in `.txt` loses that: what is no Python yet has no name of Python.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import NamedTuple

from holdfast.model.values import Place
from tests.helpers import free_port

FOLDER = Path(__file__).with_name("stacks")
PLACEHOLDER = re.compile(r"@([a-z_0-9]+)(?::(\d+)-(\d+))?@")
FRONT = "front"
"""The name of the port, or of the unix socket, that clients dial."""
TEMPORARY = " ".join(
    f"{name}_temp_path {name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
)
"""Where nginx keeps bodies if it is not root; relative to its prefix."""


class Written(NamedTuple):
    """Configuration in a folder, what was filled in, and the places that its programs listen on."""

    folder: Path
    run: Path
    words: dict[str, str]
    front: str
    servers: tuple[str, ...]

    def raised(self, places: Iterable[Place], more: Callable[[int], int]) -> None:
        """Put a greater number into the spans of files that say one now."""
        for place in sorted(set(places), key=lambda place: place.start, reverse=True):
            file = self.folder / place.file
            text = file.read_bytes()
            number = more(int(text[place.start : place.end]))
            file.write_bytes(text[: place.start] + str(number).encode() + text[place.end :])


@contextmanager
def written(name: str, seed: int, source: Path = FOLDER) -> Iterator[Written]:
    """A stack's files with every placeholder filled, gone afterwards."""
    home = Path(tempfile.mkdtemp(prefix="audited-"))
    try:
        home.chmod(0o755)
        yield _filled(source / name, home, Random(f"{seed} {name}"))
    finally:
        shutil.rmtree(home)


def _filled(source: Path, home: Path, draw: Random) -> Written:
    folder, run = home / "etc", home / "run"
    words = {"run": str(run), "bin": os.path.dirname(sys.executable), "temporary": TEMPORARY}
    ports: dict[str, str] = {}

    def fill(found: re.Match[str]) -> str:
        name, low, high = found.groups()
        if low is not None:
            words[name] = str(draw.randint(int(low), int(high)))
        elif name not in words:
            ports[name] = words[name] = str(free_port())
        return words[name]

    sockets: list[str] = []
    for file in sorted(source.rglob("*")):
        if file.is_file():
            text = PLACEHOLDER.sub(fill, file.read_text())
            sockets += re.findall(rf"{re.escape(str(run))}/\w+\.sock", text)
            target = folder / str(file.relative_to(source)).removesuffix(".txt")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text)
    places = [*(f"127.0.0.1:{port}" for port in ports.values()), *dict.fromkeys(sockets)]
    front = f"127.0.0.1:{ports[FRONT]}" if FRONT in ports else f"{run}/{FRONT}.sock"
    return Written(folder, run, words, front, tuple(place for place in places if place != front))
