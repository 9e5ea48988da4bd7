"""HAProxy's text as lines of words with places: quotes, escapes, environment, conditions. No disk.

As the manual's sections 2.2 (quoting and escaping), 2.3 (environment) and 2.4 (conditions) say.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from holdfast.readers.contract import Fault, Problems
from holdfast.readers.text import Text, Word

_TOKEN = re.compile(
    r"""(?P<space>[ \t\r]+)|(?P<comment>\#.*)
    |(?P<word>(?:\\.|'[^'\n]*'|"[^"\\\n]*+(?:\\.[^"\\\n]*+)*+"|[^\s\#'"\\])++)
    |(?P<open>.)""",
    re.VERBOSE,
)
_PIECE = re.compile(
    r"""'(?P<strong>[^']*)'|"(?P<weak>(?:\\.|[^"\\])*)"|(?P<plain>(?:\\.|[^'"])+)"""
)
_ESCAPED = re.compile(r"\\(?:x([0-9a-fA-F]{2})|(.))")
_MEANS = {"n": "\n", "r": "\r", "t": "\t", " ": " ", "#": "#", "\\": "\\", '"': '"', "'": "'"}
_VARIABLE = re.compile(r"(?P<escape>\\\$)|\$(?:\{(\w+)(?:\[\*\])?(?:-([^}]*))?\}|(\w+))")
_TEST = re.compile(r"\s*(!?)\s*(?:(\w+)\(([^()]*)\)|(-?\d+))\s*(&&|\|\||$)")
ENVIRONMENT = frozenset(("setenv", "presetenv", "unsetenv", "resetenv"))
MOST_DEPTH = 32
"""Conditions in each other."""


class Line(msgspec.Struct, frozen=True):
    """The words of one line; there is at least one."""

    words: tuple[Word, ...]

    @property
    def head(self) -> Word:
        """Its first word."""
        return self.words[0]

    def said(self) -> str:
        """The line, as its words mean it."""
        return " ".join(word.text for word in self.words)


class Lines:
    """Takes a text apart; `environment` is what the text itself sets (`setenv`, `presetenv`)."""

    def __init__(self, text: Text, problems: Problems) -> None:
        self.text, self.problems = text, problems
        self.environment: dict[str, str] = {}
        self._open: list[tuple[Word, str]] = []  # of each `.if`: taken, later or never

    def __iter__(self) -> Iterator[Line]:
        at, said = 0, self.text.said
        while at < len(said):
            end = said.find("\n", at)
            end = len(said) if end < 0 else end
            words = self._words(at, end)
            at = end + 1
            if not words:
                continue
            line = Line(tuple(words))
            if line.head.text.startswith("."):
                self._condition(line)
            elif all(state == "taken" for _, state in self._open):
                self._environment(line)
                yield line
        for word, _ in self._open:
            self.problems.add(Fault.SYNTAX, "`.if` is not ended", word.place, "add `.endif`")

    def _words(self, at: int, end: int) -> list[Word]:
        words = []
        while at < end:
            token = _TOKEN.match(self.text.said, at, end)
            if token is None or token["open"]:
                place = self.text.place(at, at + 1)
                self.problems.add(Fault.SYNTAX, "a quote or escape is not ended", place)
                break
            at = token.end()
            if token["word"]:
                means = self._means(token[0])
                words.append(self.text.word(token.start(), at, means))
        return words

    def _means(self, raw: str) -> str:
        if not any(char in raw for char in "\\\"'"):
            return raw
        made = []
        for piece in _PIECE.finditer(raw):
            if piece["strong"] is not None:
                made.append(piece["strong"])
            elif piece["weak"] is not None:
                made.append(_ESCAPED.sub(_escape, _VARIABLE.sub(self._variable, piece["weak"])))
            else:
                made.append(_ESCAPED.sub(_escape, piece["plain"]))
        return "".join(made)

    def _variable(self, found: re.Match[str]) -> str:
        if found["escape"]:
            return "$"
        name = found[2] or found[4]
        known = self.environment.get(name)
        if known is not None:
            return known
        return found[3] if found[3] is not None else f"${{{name}}}"

    def _environment(self, line: Line) -> None:
        name = line.head.text
        if name in ("setenv", "presetenv") and len(line.words) == 3:
            key, said = line.words[1].text, line.words[2].text
            if name == "setenv" or key not in self.environment:
                self.environment[key] = said
        elif name in ENVIRONMENT:
            for word in line.words[1:]:
                self.environment.pop(word.text, None)

    def _condition(self, line: Line) -> None:
        name = line.head.text
        if name == ".if":
            outside = all(state == "taken" for _, state in self._open)
            if len(self._open) >= MOST_DEPTH:
                self.problems.add(Fault.SYNTAX, f"`.if` {MOST_DEPTH} deep", line.head.place)
                return
            state = ("taken" if self._holds(line) else "later") if outside else "never"
            self._open.append((line.head, state))
        elif name in (".elif", ".else", ".endif"):
            if not self._open:
                self.problems.add(Fault.SYNTAX, f"`{name}` without `.if`", line.head.place)
                return
            word, state = self._open.pop()
            if name == ".endif":
                return
            if state == "later" and (name == ".else" or self._holds(line)):
                state = "taken"
            elif state == "taken":
                state = "never"
            self._open.append((word, state))
        elif name not in (".notice", ".warning", ".alert", ".diag"):
            self.problems.add(Fault.SYNTAX, f"`{name}` is no directive", line.head.place)

    def _holds(self, line: Line) -> bool:
        """Whether a condition holds; one that depends on the machine is taken to, and said so."""
        said = " ".join(word.text for word in line.words[1:])
        at, either, both = 0, False, True
        while True:
            test = _TEST.match(said, at)
            if test is None:
                self._undecided(line, said)
                return True
            one = self._one(test)
            if one is None and both:
                self._undecided(line, said)
                return True
            both = both and one is True
            if test[5] != "&&":
                either, both = either or both, True
            if either or not test[5]:
                return either
            at = test.end()

    def _one(self, test: re.Match[str]) -> bool | None:
        if test[4] is not None:
            found: bool | None = int(test[4]) != 0
        else:
            words = [word.strip().strip("\"'") for word in test[3].split(",")]
            found = self._predicate(test[2], words)
        return found if found is None or not test[1] else not found

    def _predicate(self, name: str, words: list[str]) -> bool | None:
        if name == "defined" and words[0] in self.environment:
            return True
        if name in ("streq", "strneq") and len(words) == 2:
            one, other = (self._means(f'"{word}"') for word in words)
            if "${" not in one + other:
                return (one == other) == (name == "streq")
        return None

    def _undecided(self, line: Line, said: str) -> None:
        message = f"whether `{said}` holds is known when HAProxy starts: taken to hold"
        self.problems.add(Fault.UNKNOWN_VALUE, message, line.head.place)


def _escape(found: re.Match[str]) -> str:
    if found[1]:
        return chr(int(found[1], 16))
    return _MEANS.get(found[2], found[0])
