"""Command lines of servers: one loop over each program's table of options. Knows no program."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from holdfast.model.values import Source, Value
from holdfast.readers.address import INSTANCE
from holdfast.readers.contract import Amount, Fault, Problems
from holdfast.readers.said import Said
from holdfast.readers.text import Word, written


class Option(msgspec.Struct, frozen=True):
    """An option: its names, the setting that it lands at, how its argument is read.

    `flag` is for one without an argument, whose value is `amount("")`; `many` for one that may be
    said again without undoing what was said before. `env` is a variable that says the same, which
    its program's `prefix` does not make.
    """

    names: tuple[str, ...]
    lands: str
    amount: Amount
    flag: bool = False
    many: bool = False
    env: str = ""


class Program(msgspec.Struct, frozen=True):
    """A server's command line: its options, and the names of those that say nothing here.

    `flags` take no argument, `others` take one. `shortened` says whether any beginning of a long
    name that is no other's stands for it, as with argparse. With a `prefix` a variable says what an
    option does: UVICORN_LIMIT_CONCURRENCY for `--limit-concurrency`.
    """

    name: str
    options: tuple[Option, ...]
    flags: frozenset[str] = frozenset()
    others: frozenset[str] = frozenset()
    shortened: bool = False
    prefix: str = ""

    def names(self) -> dict[str, Option | None]:
        """Every name that is known, with its row where it has one."""
        known: dict[str, Option | None] = dict.fromkeys(self.others | self.flags)
        return known | {name: option for option in self.options for name in option.names}


def whole(text: str) -> int:
    """A whole number, as int() takes it."""
    try:
        return int(text)
    except ValueError:
        raise ValueError("is no whole number") from None


def port(text: str) -> int:
    """A TCP port."""
    number = whole(text)
    if not 0 <= number <= 65_535:
        raise ValueError("is no port")
    return number


def same(text: str) -> str:
    """The text as it is; a variable in it makes it unknown."""
    if "$" in text:
        raise ValueError("only the running program knows")
    return text


ADDRESS = (
    Option(("--host",), "host", same),
    Option(("--port",), "port", port),
    Option(("--uds",), "uds", same),
)
"""Where uvicorn and granian listen."""


def names(text: str) -> frozenset[str]:
    """The names that stand in a text, blanks between them."""
    return frozenset(text.split())


class Settings:
    """What was said, by setting: later replaces earlier, and what may be many is kept whole.

    `unknown` is what only the running program knows, since it is a variable that is not set here.
    """

    def __init__(self, problems: Problems) -> None:
        self.problems = problems
        self.values: dict[str, Value] = {}
        self.many: dict[str, list[Said]] = {}
        self.said: dict[str, Said] = {}
        self.unknown: dict[str, Said] = {}
        self.unread: list[Word] = []

    def land(self, option: Option, said: Said) -> None:
        """Note what an option was given, or what is wrong with it."""
        if option.many:
            self.many.setdefault(option.lands, []).append(said)
            return
        try:
            value = option.amount(said.chars if not option.flag else "")
        except ValueError as wrong:
            of_instance = INSTANCE.search(said.chars) is not None
            unknown = "$" in said.chars or of_instance
            fault = Fault.UNKNOWN_VALUE if unknown else Fault.ARGUMENT
            why = "each instance has its own" if of_instance else str(wrong)
            hint = "write the value itself to have it counted" if unknown else ""
            name = option.names[-1]
            if unknown:
                self.unknown[option.lands] = said
            self.problems.add(fault, f"`{name} {said.chars}`: {why}", said.place, hint)
            return
        self.values.pop(option.lands, None)
        self.values[option.lands] = written(option.lands, value, said.line, said.place)
        self.said[option.lands] = said
        self.unknown.pop(option.lands, None)

    def default(self, setting: str, value: int, why: str) -> Value:
        """The value that was said, or the program's default."""
        return self.values.get(setting) or Value(setting, value, Source.DEFAULT, why)


def read_options(program: Program, words: Sequence[Said], settings: Settings) -> list[Said]:
    """Note every option of a command line in `settings`; returns the words that are none."""
    known, index = program.names(), 0
    rest: list[Said] = []
    while index < len(words):
        word = words[index]
        index += 1
        if word.chars == "--":
            return [*rest, *words[index:]]
        if not word.chars.startswith("-") or word.chars == "-":
            rest.append(word)
            continue
        name, value = _parted(word, known)
        full = _lengthened(name, known) if program.shortened else name
        if full not in known:
            settings.unread.append(word.word)
            continue
        option = known[full]
        if full in program.flags or (option is not None and option.flag):
            if option is not None:
                settings.land(option, word)
            continue
        if value is None and index < len(words):
            value = words[index]
            index += 1
        if value is None:
            settings.problems.add(Fault.ARGUMENT, f"`{full}` needs an argument", word.place)
        elif option is not None:
            settings.land(option, value)
    return rest


def read_env(program: Program, env: Mapping[str, Said], settings: Settings) -> None:
    """Note what variables say of a program's options."""
    for option in program.options:
        long = option.names[-1].lstrip("-").replace("-", "_").upper()
        for name in (option.env, program.prefix + long if program.prefix else ""):
            if name in env:
                settings.land(option, env[name])


def _parted(word: Said, known: Mapping[str, Option | None]) -> tuple[str, Said | None]:
    """The name of an option and the argument that is written with it: `--name=4`, `-w4`."""
    if not word.chars.startswith("--"):
        if len(word) > 2 and word.chars[:2] in known:
            return word.chars[:2], word.cut(3 if word.chars[2] == "=" else 2)
        return word.chars, None
    name, equals, _ = word.chars.partition("=")
    return (name, word.cut(len(name) + 1)) if equals else (name, None)


def _lengthened(name: str, known: Iterable[str]) -> str:
    """The one long name that begins so, or the name itself."""
    if not name.startswith("--") or name in known:
        return name
    full = [each for each in known if each.startswith(name)]
    return full[0] if len(full) == 1 else name


def seconds(text: str) -> float:
    """A number of seconds."""
    try:
        number = float(text)
    except ValueError:
        raise ValueError("is no number of seconds") from None
    return int(number) if number.is_integer() else number


def yes(_text: str) -> bool:
    """A flag that is there."""
    return True
