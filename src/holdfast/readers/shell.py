"""A shell's text as commands of words with their places: quotes, variables, `&&`. Runs nothing.

A variable whose value is known stands where that value was written; one that is not stays `$NAME`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from holdfast.readers.said import Said

Env = Mapping[str, Said]
"""Variables that are known, by name."""

_VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+)(?::?[-=]([^{}]*))?\})")
_ASSIGNED = re.compile(r"([A-Za-z_]\w*)=")
_BREAK = frozenset(";&|()\n")
_BLANK = frozenset(" \t\r")
_PLAIN = re.compile(r"""[^;&|()\n \t\r\\'"$]+""")
"""Characters that mean themselves wherever they stand: taken together."""

NOWHERE = -1
"""Where a character stands that a variable put in."""
MOST_CHARS = 65_536
"""A variable is not put in where a word gets longer than that, so that none doubles for ever."""


class _Word:
    """One word while it grows, and the variable that ends it, if one does."""

    def __init__(self, said: Said, start: int) -> None:
        self._said, self._start = said, start
        self._chars: list[str] = []
        self._at: list[int] | None = [] if said.at is not None else None
        self._tail: Said | None = None
        self._length = 0

    def take(self, start: int, end: int) -> None:
        """Take the characters from `start` up to `end`."""
        self._chars.append(self._said.chars[start:end])
        self._length += end - start
        self._tail = None
        if self._at is not None and self._said.at is not None:
            self._at += self._said.at[start:end]

    def expand(self, value: Said) -> bool:
        """Take a variable's value, unless the word gets too long."""
        if self._length + len(value) > MOST_CHARS:
            return False
        self._chars.append(value.chars)
        self._length += len(value)
        self._tail = value
        if self._at is not None:
            self._at += [NOWHERE] * len(value)
        return True

    def done(self, end: int) -> Said:
        """The word; one that is nothing but a variable stands where that was written."""
        chars = "".join(self._chars)
        if self._tail is not None and self._tail.chars == chars:
            return self._tail
        span = self._said.span
        at = self._said.at
        if at is not None and at[self._start] >= 0 and at[end - 1] >= 0:
            span = (at[self._start], at[end - 1] + 1)
        return Said(self._said.text, chars, self._at, span, self._tail)


def commands(said: Said, env: Env | None = None) -> tuple[list[list[Said]], dict[str, Said]]:
    """Every command of a shell's text as its words, and the variables as they are at its end.

    Assignments before a command, and `export NAME=...`, are kept for what follows.
    """
    known = dict(env or {})
    found: list[list[Said]] = []
    words: list[Said] = []
    index = 0
    while index < len(said):
        char = said.chars[index]
        if char in _BREAK:
            words = _ended(words, found, known)
            index += 1
        elif char in _BLANK:
            index += 1
        elif char == "#":
            index = _line_end(said, index)
        elif said.chars.startswith("\\\n", index):
            index += 2
        else:
            word, index = _word(said, index, known)
            words.append(word)
    _ended(words, found, known)
    return found, known


def pairs(said: Said, env: Env | None = None) -> list[Said]:
    """The words of a line of `NAME=value`, which are no commands."""
    found, index, known = [], 0, env or {}
    while index < len(said):
        if said.chars[index] in _BREAK or said.chars[index] in _BLANK:
            index += 1
        else:
            word, index = _word(said, index, known)
            found.append(word)
    return found


def words(said: Said, env: Env | None = None) -> list[Said]:
    """The words of one command line."""
    return [word for command in commands(said, env)[0] for word in command]


def expanded(said: Said, env: Env) -> Said:
    """A text with its variables put in and `$$` as a dollar; quotes are characters like others."""
    if "$" not in said.chars:
        return said
    word, index = _Word(said, 0), 0
    while index < len(said):
        if said.chars.startswith("$$", index):
            word.take(index, index + 1)
            index += 2
        elif said.chars[index] == "$":
            index = _variable(said, index, env, word)
        else:
            word.take(index, index + 1)
            index += 1
    return word.done(len(said))


def assigned(word: Said) -> tuple[str, Said] | None:
    """Name and value of a `NAME=value`, or None for any other word."""
    found = _ASSIGNED.match(word.chars)
    return (found[1], word.cut(found.end())) if found else None


def _ended(words: list[Said], found: list[list[Said]], known: dict[str, Said]) -> list[Said]:
    """Note a command that has ended: its assignments, and what is run, if anything is."""
    rest = list(words)
    while rest and (rest[0].chars == "export" or (pair := assigned(rest[0]))):
        if rest[0].chars != "export" and pair:
            known[pair[0]] = pair[1]
        del rest[0]
    if rest:
        found.append(rest)
    return []


def _line_end(said: Said, index: int) -> int:
    end = said.chars.find("\n", index)
    return len(said) if end < 0 else end


def _word(said: Said, index: int, known: Env) -> tuple[Said, int]:
    """The word that begins at `index`, and where it has ended."""
    word, quote = _Word(said, index), ""
    while index < len(said):
        char = said.chars[index]
        if not quote and (char in _BREAK or char in _BLANK):
            break
        if char == "\\" and quote != "'" and index + 1 < len(said):
            if said.chars[index + 1] != "\n":
                word.take(index + 1, index + 2)
            index += 2
        elif char in "'\"" and quote in ("", char):
            quote = "" if quote else char
            index += 1
        elif char == "$" and quote != "'":
            index = _variable(said, index, known, word)
        else:
            plain = _PLAIN.match(said.chars, index)
            end = plain.end() if plain is not None else index + 1
            word.take(index, end)
            index = end
    return word.done(index), index


def _variable(said: Said, index: int, known: Env, word: _Word) -> int:
    """Take a variable into a word: what it is known as, its default, or itself."""
    if said.chars.startswith("$(", index):
        return _substituted(said, index, word)
    found = _VARIABLE.match(said.chars, index)
    if found is None:
        word.take(index, index + 1)
        return index + 1
    value = known.get(found[1] or found[2])
    if value is None and found[3] is not None:
        value = said.cut(found.start(3), found.end(3))
    if value is None or not word.expand(value):
        word.take(index, found.end())
    return found.end()


def _substituted(said: Said, index: int, word: _Word) -> int:
    """Take `$(...)` as it stands: what it prints is not known."""
    depth, end = 0, index + 1
    while end < len(said):
        depth += {"(": 1, ")": -1}.get(said.chars[end], 0)
        end += 1
        if not depth:
            break
    word.take(index, end)
    return end
