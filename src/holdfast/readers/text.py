"""A text as it was given, and where each part of it stands; files beside it, by name. No disk.

Offsets of a place are bytes, as `model.values.Place` says; within a reader they are characters.
"""

from __future__ import annotations

import posixpath
import re
from bisect import bisect_left
from collections.abc import Mapping
from itertools import accumulate
from typing import Protocol

import msgspec

from holdfast.model.values import Place, Scalar, Source, Value

_KEPT = "surrogateescape"
"""Bytes that are no UTF-8 stay what they are, so that offsets stay right."""


_OTHER_KINDS = {
    *("adoc", "c", "cc", "cpp", "css", "csv", "diff", "erb", "go", "h", "htm", "html", "ipynb"),
    *("j2", "java", "jinja", "jinja2", "js", "json", "jsx", "lock", "log", "lua", "markdown"),
    *("md", "patch", "php", "pl", "po", "py", "pyi", "rb", "rs", "rst", "scss", "sh", "bash"),
    *("sql", "svg", "tf", "toml", "ts", "tsx", "xml", "yaml", "yml"),
}
"""Endings of prose, code and data, which may quote a configuration and are none."""


def quotes(name: str) -> bool:
    """Whether a file of that name, if it looks like a configuration, only quotes one."""
    return name.rpartition(".")[2].lower() in _OTHER_KINDS


class Word(msgspec.Struct, frozen=True):
    """A word of a text: what it means (quotes and escapes undone), and the span that says it."""

    text: str
    place: Place

    def after(self, prefix: str) -> Word:
        """The word without its beginning, such as `backlog=`; in quotes its span stays whole."""
        rest, place = self.text.removeprefix(prefix), self.place
        bare = place.end - place.start == len(self.text.encode("utf-8", _KEPT))
        start = place.start + len(prefix.encode()) if bare and rest else place.start
        return Word(rest, Place(place.file, place.line, start, place.end))


class Text:
    """One file: its name (relative to what was given, with slashes) and what it says."""

    def __init__(self, name: str, data: str | bytes) -> None:
        self.name = name
        self.said = data if isinstance(data, str) else data.decode("utf-8", _KEPT)
        self._ends = [found.start() for found in re.finditer("\n", self.said)]
        self._bytes: list[int] | None = None
        if not self.said.isascii():
            widths = (len(char.encode("utf-8", _KEPT)) for char in self.said)
            self._bytes = list(accumulate(widths, initial=0))

    def line(self, start: int) -> int:
        """The line, from 1, of the character at `start`."""
        return bisect_left(self._ends, start) + 1

    def place(self, start: int, end: int) -> Place:
        """The place of the characters from `start` up to `end`."""
        line = self.line(start)
        if self._bytes is not None:
            start, end = self._bytes[start], self._bytes[end]
        return Place(self.name, line, start, end)

    def word(self, start: int, end: int, means: str | None = None) -> Word:
        """The word from `start` up to `end`; `means` where that is not what stands there."""
        return Word(self.said[start:end] if means is None else means, self.place(start, end))

    def at(self, place: Place) -> str:
        """What stands at a place of this text."""
        if self._bytes is None:
            return self.said[place.start : place.end]
        return self.said.encode("utf-8", _KEPT)[place.start : place.end].decode("utf-8", _KEPT)


class Files(Protocol):
    """The files beside the one that is read, by their names relative to the root that was given.

    `root` is the folder that this root is on its machine, such as "/etc/nginx"; "" if unknown.
    """

    @property
    def root(self) -> str:
        """The absolute path of the root, or "" where it is unknown."""

    def read(self, name: str) -> str | bytes | None:
        """What the file of that name says, or None where there is none."""

    def glob(self, pattern: str) -> tuple[str, ...]:
        """The names that match, sorted: `*`, `?` and `[...]` match no slash and no leading dot."""


class Given:
    """Files that are at hand as texts, such as those of one dump or one test."""

    def __init__(self, files: Mapping[str, str | bytes] | None = None, root: str = "") -> None:
        self.files = dict(files or {})
        self.root = root

    def read(self, name: str) -> str | bytes | None:
        """What the file of that name says, or None where there is none."""
        return self.files.get(name)

    def glob(self, pattern: str) -> tuple[str, ...]:
        """The names that match, sorted."""
        return matching(pattern, self.files)


def matching(pattern: str, names: Mapping[str, object]) -> tuple[str, ...]:
    """The names that match a shell pattern as glob(3) does, sorted; one loop over the names."""
    wanted = re.compile("/".join(_shell(part) for part in pattern.split("/")) + r"\Z", re.DOTALL)
    return tuple(sorted(name for name in names if wanted.match(name)))


def _shell(part: str) -> str:
    """One part of a path as an expression; runs of `*` become one, so that it stays linear."""
    made = []
    for token in re.findall(r"\*+|\?|\[!?\]?[^\]]*\]|.", part, re.DOTALL):
        if token[0] == "*":
            made.append("[^/]*")
        elif token == "?":
            made.append("[^/]")
        elif token[0] == "[" and len(token) > 2:
            body = token[1:-1].replace("\\", r"\\").replace("[", r"\[")
            made.append(f"(?!/)[{'^' + body[1:] if body[0] == '!' else _no_caret(body)}]")
        else:
            made.append(re.escape(token))
    return ("" if part.startswith(".") else r"(?!\.)") + "".join(made)


def _no_caret(body: str) -> str:
    return "\\" + body if body.startswith("^") else body


def inside(name: str, beside: str, root: str = "") -> str | None:
    """The name, within the root, of what a file `beside` calls `name`; None where that is outside.

    A relative name is meant from the folder of `beside`; an absolute one must lie under `root`.
    """
    if name.startswith("/"):
        under = root.rstrip("/") + "/"
        clean = posixpath.normpath(name)
        return clean.removeprefix(under) if root and clean.startswith(under) else None
    found = posixpath.normpath(posixpath.join(posixpath.dirname(beside), name))
    return None if found == ".." or found.startswith(("../", "/")) else found


def written(setting: str, value: Scalar | None, said: str, place: Place) -> Value:
    """A value that a file states: `said` is the line as it is written, `place` what to replace."""
    return Value(setting, value, Source.WRITTEN, said, place)
