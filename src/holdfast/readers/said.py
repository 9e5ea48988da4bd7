"""Characters that know where each of them stands, whatever quotes, escapes or joins lie between.

So a value keeps its exact place through a shell's words, a unit's joined lines, a YAML scalar.
"""

from __future__ import annotations

import posixpath
from collections.abc import Sequence

from holdfast.model.values import Place
from holdfast.readers.text import Files, Text, Word, inside

NEAR = 500
"""So many characters before and after a value are shown of its line."""


class Said:
    """A string, `at[i]` the offset of its character i in `text`; `span` is what wrote all of it.

    A character that is not written itself (of an escape, a variable) is at -1, and where all are
    so, `at` is None: a part that begins or ends with one has the span of the whole. `tail` is what
    stands elsewhere and ends the string.
    """

    __slots__ = ("at", "chars", "span", "tail", "text")

    def __init__(
        self,
        text: Text,
        chars: str,
        at: Sequence[int] | None,
        span: tuple[int, int],
        tail: Said | None = None,
    ) -> None:
        self.text, self.chars, self.at, self.span, self.tail = text, chars, at, span, tail

    @classmethod
    def of(cls, text: Text, start: int, end: int) -> Said:
        """What stands from `start` up to `end`, as it stands."""
        return cls(text, text.said[start:end], range(start, end), (start, end))

    @classmethod
    def meant(cls, text: Text, start: int, end: int, means: str) -> Said:
        """What a span means, which may stand in it as it is (in quotes) or not (with escapes)."""
        body = text.said.find(means, start, end) if means else -1
        at = range(body, body + len(means)) if body >= 0 else None
        return cls(text, means, at, (start, end))

    def __len__(self) -> int:
        return len(self.chars)

    def __repr__(self) -> str:
        return f"Said({self.chars!r} at {self.span})"

    def cut(self, start: int, end: int | None = None) -> Said:
        """The characters from `start` up to `end`."""
        chars = self.chars[start:end]
        if self.tail is not None and end is None and len(chars) == len(self.tail):
            return self.tail
        at = self.at[start:end] if self.at is not None else None
        ends = at is not None and len(at) > 0 and at[0] >= 0 and at[-1] >= 0
        return Said(self.text, chars, at, (at[0], at[-1] + 1) if at and ends else self.span)

    def stripped(self) -> Said:
        """Without blanks around it."""
        left = len(self.chars) - len(self.chars.lstrip())
        return self.cut(left, len(self.chars.rstrip())) if self.chars.strip() else self.cut(0, 0)

    @property
    def place(self) -> Place:
        """The span of the characters; of what wrote them, where there are none."""
        return self.text.place(*self.span)

    @property
    def word(self) -> Word:
        """As a word: what it means, and its span."""
        return Word(self.chars, self.place)

    @property
    def line(self) -> str:
        """The line that it stands in, or begins in; of a long one what is near."""
        said, (start, _) = self.text.said, self.span
        first, last = max(0, start - NEAR), min(len(said), start + NEAR)
        first = max(first, said.rfind("\n", first, start) + 1)
        end = said.find("\n", start, last)
        return said[first : end if end >= 0 else last].strip()


def looked_for(name: str, beside: str, files: Files) -> Text | None:
    """The given file that a text names, or None.

    What is audited lies seldom where it will run: an absolute name is looked for from the root that
    was given, too, and any name beside the text that names it.
    """
    wanted = (
        inside(name, beside, files.root),
        inside(name.lstrip("/"), "", files.root),
        inside(posixpath.basename(name) or ".", beside, files.root),
    )
    for where in dict.fromkeys(wanted):
        data = files.read(where) if where else None
        if where and data is not None:
            return Text(where, data)
    return None
