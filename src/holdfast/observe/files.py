"""How one file of a machine becomes values: its text, or why there is none. No file makes it raise.

Must not know what any file means.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable

import msgspec

from holdfast.model.values import Scalar, Value, observed

UNLIMITED_FROM = 2**62
"""The kernel writes "no limit" as a number near 2**63 in some files; none is meant above this."""


class Text(msgspec.Struct, frozen=True):
    """What a file says: `text` is None where it could not be read, and `why` then says so."""

    path: str
    text: str | None
    why: str
    missing: bool = False


class Files(msgspec.Struct, frozen=True):
    """The files of one machine, below `root`."""

    root: str = "/"

    @property
    def live(self) -> bool:
        """Whether these are the files of the machine that runs this, not a copy."""
        return self.root == "/"

    def read(self, path: str, most_bytes: int = -1) -> Text:
        """The text of an absolute path, at most its first `most_bytes`."""
        try:
            with open(os.path.join(self.root, path.lstrip("/")), "rb") as file:
                return Text(path, file.read(most_bytes).decode(errors="replace"), path)
        except FileNotFoundError:
            return Text(path, None, f"{path}: no such file", missing=True)
        except OSError as error:
            return Text(path, None, f"{path}: not readable: {error.strerror}")


def value_of(setting: str, text: Text, parse: Callable[[str], Scalar]) -> Value:
    """The value that `parse` finds in a text; None where it is not there."""
    if text.text is None:
        return observed(setting, None, text.why)
    try:
        return observed(setting, parse(text.text), text.path)
    except (ValueError, LookupError, ArithmeticError):
        return observed(setting, None, f"{text.path}: does not say")


def number(word: str) -> int | float:
    """A whole number as the kernel writes it, math.inf for "max", "unlimited" and its huge numbers.

    Raises ValueError for anything else.
    """
    if word.strip() in {"max", "unlimited"}:
        return math.inf
    found = int(word)
    return math.inf if found >= UNLIMITED_FROM else found


def word(position: int) -> Callable[[str], int | float]:
    """A parser of the number at `position` among the words of a file."""
    return lambda text: number(text.split()[position])


def field(name: str, text: str, separator: str | None = None) -> str:
    """What stands after `name` at the start of a line; raises LookupError where no line has it."""
    for line in text.splitlines():
        key, *rest = line.split(separator, 1)
        if key.strip() == name and rest:
            return rest[0].strip()
    raise LookupError(name)
