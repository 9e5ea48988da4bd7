"""nginx's text as a tree of directives with places; includes are asked for, and bounded. No disk.

As `src/core/ngx_conf_file.c` reads it. Own lexer: ngxparse's has no offsets (docs/design/0013).
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator

import msgspec

from holdfast.model.values import Place
from holdfast.readers.contract import Fault, Problems
from holdfast.readers.text import Files, Given, Text, Word, inside

MOST_FILES, MOST_TAKEN = 10_000, 1_000_000
"""Includes, and directives: each as often as it is included."""
MOST_DEPTH = 20
"""Of blocks in each other, and of includes: real ones are a third as deep."""
HARMLESS = frozenset(
    (
        *("mime.types", "proxy_params", "fastcgi_params", "uwsgi_params", "scgi_params"),
        *("fastcgi.conf", "koi-utf", "koi-win", "win-utf"),
    )
)
"""Shipped with nginx, and hold types, headers and letters only: not missed."""
HOME = "/etc/nginx"
"""Where packages put the main file, so what it names there lies beside it."""
DATA = frozenset(("map", "geo", "types", "split_clients", "charset_map"))
"""Blocks of entries, in which no directive stands."""
DUMPED = re.compile(r"^# configuration file (/[^\n]*?):\r?$", re.MULTILINE)
_TOKEN = re.compile(
    r"""(?P<space>\s+|\#[^\n]*)
    |(?P<end>[;{}])
    |(?P<quoted>"[^"\\]*+(?:\\.[^"\\]*+)*+"|'[^'\\]*+(?:\\.[^'\\]*+)*+')
    |(?P<open>["'])
    |(?P<word>(?:\\.|\$\{|[^\s;{\\])++|\\\Z)""",
    re.VERBOSE | re.DOTALL,
)
_LUA = re.compile(
    r"--\[(=*)\[|--[^\n]*|\[(=*)\["
    r"""|"[^"\\\n]*+(?:\\.[^"\\\n]*+)*+"|'[^'\\\n]*+(?:\\.[^'\\\n]*+)*+'|[{}]""",
    re.DOTALL,
)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_MEANS = {'"': '"', "'": "'", "\\": "\\", "t": "\t", "r": "\r", "n": "\n"}


class Directive(msgspec.Struct, frozen=True):
    """A directive: its name, its arguments, and for a block what stands in it."""

    head: Word
    words: tuple[Word, ...]
    block: list[Directive] | None = None

    @property
    def name(self) -> str:
        """Its name."""
        return self.head.text

    def said(self) -> str:
        """The directive as one line."""
        return " ".join(word.text for word in (self.head, *self.words))

    def blocks(self, *names: str) -> Iterator[Directive]:
        """The blocks of these names that stand in this one."""
        return (one for one in self.block or () if one.name in names and one.block is not None)


class Tree:
    """Takes a text and what it includes apart, each file once.

    `read` are the names of all files that it took, `any` whether a directive stood in one.
    """

    def __init__(self, text: Text, files: Files, problems: Problems) -> None:
        self.main, self.files, self.problems = text, files, problems
        self.read: dict[str, None] = {}
        self._dumped = {mark[1]: span for mark, span in _dumped(text)}
        self.any = False
        self._stopped = False
        self._told: set[Place] = set()
        self._files = self._taken = 0
        self._texts: dict[str, Text | None] = {}
        self._parsed: dict[str, list[Directive]] = {}

    def top(self) -> list[Directive]:
        """The directives of the outermost level, everything included."""
        if self._dumped:
            name = next(iter(self._dumped))
            return self._file(self.main, self._dumped[name], (name,))
        return self._file(self.main, (0, len(self.main.said)), (self.main.name,))

    def _file(self, text: Text, span: tuple[int, int], way: tuple[str, ...]) -> list[Directive]:
        self.read[text.name] = None
        name = way[-1]
        if name not in self._parsed:
            self._parsed[name] = parse(text, *span, self.problems)
            self.any = self.any or bool(self._parsed[name])
        return self._include(self._parsed[name], way)

    def _include(self, read: list[Directive], way: tuple[str, ...]) -> list[Directive]:
        """The directives with each `include` replaced by what it names, at every level."""
        made: list[Directive] = []
        self._taken += len(read)
        for one in read:
            if one.name == "include" and one.block is None and len(one.words) == 1:
                made += self._named(one.words[0], way)
            elif one.block and one.name not in DATA:
                inner = self._include(one.block, way)
                made.append(msgspec.structs.replace(one, block=inner))
            else:
                made.append(one)
        return made

    def _named(self, word: Word, way: tuple[str, ...]) -> list[Directive]:
        self._files += 1
        if not self._stopped and self._too_much(way):
            self._stopped = True
            message = f"more than {MOST_FILES:,} includes, {MOST_TAKEN:,} directives, or "
            message += f"{MOST_DEPTH} includes in each other: the rest is not read"
            self.problems.add(Fault.SYNTAX, message, word.place)
        if self._stopped:
            return []
        many = any(char in word.text for char in "*?[")
        made: list[Directive] = []
        for name, text, span in self._found(word, many):
            if name in way:
                circle = " -> ".join((*way[way.index(name) :], name))
                self._once(
                    Fault.CIRCLE, f"`{name}` includes itself: {circle}", word, "leave it out"
                )
            else:
                made += self._file(text, span, (*way, name))
        return made

    def _once(self, fault: Fault, message: str, word: Word, hint: str) -> None:
        """Tell what is wrong with a name, once for all who include the file that it stands in."""
        if word.place not in self._told:
            self._told.add(word.place)
            self.problems.add(fault, message, word.place, hint)

    def _too_much(self, way: tuple[str, ...]) -> bool:
        many = self._files >= MOST_FILES or self._taken >= MOST_TAKEN
        return many or len(way) >= MOST_DEPTH

    def _found(self, word: Word, many: bool) -> list[tuple[str, Text, tuple[int, int]]]:
        """What an `include` names: name, text and span of each file, in order."""
        if self._dumped:
            beside = posixpath.dirname(next(iter(self._dumped)))
            pattern = posixpath.normpath(posixpath.join(beside, word.text))
            dump = Given(dict.fromkeys(self._dumped, ""))
            names = dump.glob(pattern) if many else (pattern,)
            found = [(n, self.main, self._dumped[n]) for n in names if n in self._dumped]
        else:
            where = self._inside(word)
            if where is None:
                return []
            names = self.files.glob(where) if many else (where,)
            read = [self._text(name) for name in names]
            found = [(text.name, text, (0, len(text.said))) for text in read if text is not None]
        if not found and not many and posixpath.basename(word.text) not in HARMLESS:
            hint = f"give `{word.text}` too, or what `nginx -T` prints"
            message = f"`{word.text}` is included, and was not given"
            self._once(Fault.NOT_FOUND, message, word, hint)
        return found

    def _text(self, name: str) -> Text | None:
        if name not in self._texts:
            data = self.files.read(name)
            self._texts[name] = None if data is None else Text(name, data)
        return self._texts[name]

    def _inside(self, word: Word) -> str | None:
        """The name within the root; nginx means relative ones from the main file's folder."""
        name = inside(word.text, self.main.name, self.files.root)
        if name is None and word.text.startswith(HOME + "/"):
            name = inside(word.text.removeprefix(HOME + "/"), self.main.name)
        if name is None and posixpath.basename(word.text) not in HARMLESS:
            message = f"`{word.text}` lies outside of what was given, and is not read"
            hint = "give the folder that holds it too, or what `nginx -T` prints"
            self._once(Fault.OUTSIDE, message, word, hint)
        return name


def _dumped(text: Text) -> Iterator[tuple[re.Match[str], tuple[int, int]]]:
    """The files in what `nginx -T` prints: the line that names each, and the span of its text."""
    marks = list(DUMPED.finditer(text.said))
    ends = [*(mark.start() for mark in marks[1:]), len(text.said)]
    for mark, end in zip(marks, ends, strict=False):
        yield mark, (mark.end(), end)


def parse(text: Text, start: int, end: int, problems: Problems) -> list[Directive]:
    """The directives between two offsets; stops where nginx would, and says why."""
    top: list[Directive] = []
    open_blocks: list[tuple[Directive | None, list[Directive]]] = [(None, top)]
    words: list[Word] = []
    at = start
    while at < end:
        token = _TOKEN.match(text.said, at, end)
        if token is None or token["open"]:
            problems.add(Fault.SYNTAX, "a quote is not closed", text.place(at, at + 1))
            return top
        at = token.end()
        if token["quoted"] or token["word"]:
            words.append(text.word(token.start(), at, _means(token[0], bool(token["quoted"]))))
            continue
        if not token["end"]:
            continue
        here = text.place(token.start(), at)
        if token[0] == "}":
            if len(open_blocks) == 1 or words:
                problems.add(Fault.SYNTAX, "unexpected `}`", here, "a `;` or `{` is missing")
            if len(open_blocks) > 1:
                open_blocks.pop()
        elif not words:
            problems.add(Fault.SYNTAX, f"unexpected `{token[0]}`", here)
        elif token[0] == ";":
            open_blocks[-1][1].append(Directive(words[0], tuple(words[1:])))
        elif words[0].text.endswith("_by_lua_block"):
            at = _lua_end(text.said, at, end)
        else:
            inner: list[Directive] = []
            block = Directive(words[0], tuple(words[1:]), inner)
            open_blocks[-1][1].append(block)
            if len(open_blocks) > MOST_DEPTH:
                problems.add(Fault.SYNTAX, f"blocks {MOST_DEPTH} deep", here)
                return top
            open_blocks.append((block, inner))
        words = []
    for block_, _ in open_blocks[1:]:
        if block_ is not None:
            place = block_.head.place
            problems.add(Fault.SYNTAX, f"`{block_.name}` is not closed", place, "add a `}`")
    if words:
        problems.add(Fault.SYNTAX, f"`{words[0].text}` has no end", words[0].place, "add a `;`")
    return top


def _means(said: str, quoted: bool) -> str:
    body = said[1:-1] if quoted else said
    if "\\" not in body:
        return body
    return _ESCAPED.sub(lambda one: _MEANS.get(one[1], one[0]), body)


def _lua_end(said: str, at: int, end: int) -> int:
    """Where a Lua block ends, past its `}`: braces in strings and comments do not count."""
    depth = 1
    while found := _LUA.search(said, at, end):
        at = found.end()
        level = found[1] if found[1] is not None else found[2]
        if level is not None:
            close = said.find(f"]{level}]", at, end)
            if close < 0:
                return end
            at = close + len(level) + 2
        elif found[0] in "{}":
            depth += 1 if found[0] == "{" else -1
            if depth == 0:
                return at
    return end
