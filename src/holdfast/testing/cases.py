"""A `.case` file: what goes in, a line of dashes, what must come out. Compares nothing itself.

Several files stand under lines such as `==> conf.d/app.conf <==`; `==> root /etc/nginx <==` says
which folder they lie in. Without such a line all is one file, named by who reads the case.
"""

from __future__ import annotations

import re
from pathlib import Path

import msgspec

from holdfast.readers.text import Given, Text

BETWEEN = "----------"
_FILE = re.compile(r"^==> (?:(root) )?(.+) <==\n", re.MULTILINE)


class Case(msgspec.Struct, frozen=True):
    """One story: its files in the order in which they stand (the first is read), and the answer."""

    name: str
    files: dict[str, str]
    expected: str
    root: str = ""

    @property
    def first(self) -> str:
        """The name of the file that is read."""
        return next(iter(self.files))

    @property
    def text(self) -> Text:
        """The file that is read."""
        return Text(self.first, self.files[self.first])

    @property
    def given(self) -> Given:
        """All files, as a reader asks for them."""
        return Given(self.files, self.root)

    def replaced(self, said: str) -> Case:
        """The case with another text in the file that is read."""
        return msgspec.structs.replace(self, files=self.files | {self.first: said})


def load(path: Path, name: str) -> Case:
    """The case of a file; `name` is that of a single text without a line above it."""
    made, _, expected = path.read_text("utf-8").partition(f"\n{BETWEEN}\n")
    return _case(path.stem, made + "\n", expected, name)


def _case(story: str, made: str, expected: str, name: str) -> Case:
    marks = list(_FILE.finditer(made))
    if not marks:
        return Case(story, {name: made}, expected)
    ends = [*(mark.start() for mark in marks[1:]), len(made)]
    files, root = {}, ""
    for mark, end in zip(marks, ends, strict=True):
        if mark[1]:
            root = mark[2]
        else:
            files[mark[2]] = made[mark.end() : end]
    return Case(story, files, expected, root)


def load_all(folder: Path, name: str) -> tuple[Case, ...]:
    """Every case of a folder, by name."""
    return tuple(load(path, name) for path in sorted(folder.glob("*.case")))


def renew(path: Path, expected: str) -> None:
    """Write what came out as what is expected; whoever does that reads the difference."""
    made = path.read_text("utf-8").partition(f"\n{BETWEEN}\n")[0]
    path.write_text(f"{made}\n{BETWEEN}\n{expected}", "utf-8")
