"""What holds at each level of an nginx configuration: values, headers and variables inherit.

As nginx merges them: a value of an inner level replaces the outer one; headers and `limit_conn`
are taken from outside only where a level has none of its own. Reads no text.
"""

from __future__ import annotations

from itertools import islice, product

import msgspec

from holdfast.model.values import Value
from holdfast.readers import nginx_rows as rows
from holdfast.readers.contract import Fault, Problems, Row
from holdfast.readers.nginx_limits import VARIABLE, Zones
from holdfast.readers.nginx_text import Directive
from holdfast.readers.text import Word, written

ROWS_OF: dict[str, tuple[Row, ...]] = {
    name: tuple(row for row in rows.ROWS if row.name == name)
    for name in {row.name for row in rows.ROWS}
}
MOST_MEANINGS = 16
"""Of a text with variables that have several values each."""
MOST_WORDS = 2
"""Before the entries of a block that makes a variable: what it is made of, and its name."""


class Level(msgspec.Struct):
    """What holds in one block: values by setting, `Connection` as sent, limits, variables.

    `limits` are of requests at once, `rates` of those that come, `trusted` are the addresses whose
    word for a client's is taken. `passes` and `listens` are its own directives: they do not
    inherit.
    """

    context: str
    name: str = ""
    values: dict[str, Value] = {}
    headers: dict[str, Value] = {}
    limits: tuple[Value, ...] = ()
    rates: tuple[Value, ...] = ()
    trusted: tuple[Value, ...] = ()
    variables: dict[str, tuple[str, ...]] = {}
    passes: list[Directive] = []
    listens: list[Directive] = []
    servers: list[Directive] = []
    balance: str = ""


class Levels:
    """Enters blocks; gathers what is unread and which logs are open."""

    def __init__(self, problems: Problems) -> None:
        self.problems = problems
        self.unread: list[Word] = []
        self.logs: dict[str, Word] = {}
        self.errors: dict[str, str] = {}
        self.said_logs = False
        self.zones = Zones(problems)

    def enter(self, block: list[Directive], context: str, outer: Level | None = None) -> Level:
        """The level of a block: what it inherits, and what it says itself."""
        level = Level(context)
        if outer is not None:
            level.name, level.values = outer.name, dict(outer.values)
            level.variables = dict(outer.variables)
        own: set[str] = set()
        for one in block:
            if one.name in rows.ZONES and len(one.words) >= rows.TAKES[one.name][0]:
                self.zones.note(one, block)
        for one in block:
            if one.block is not None:
                self._block(one, level)
            elif found := ROWS_OF.get(one.name):
                self._row(one, found, level, own)
            elif one.name in rows.SEEN:
                self._seen(one, level)
            else:
                self.unread.append(one.head)
        if outer is not None:
            level.headers = level.headers or outer.headers
            level.limits = level.limits or outer.limits
            level.rates = level.rates or outer.rates
            level.trusted = level.trusted or outer.trusted
        return level

    def _block(self, one: Directive, level: Level) -> None:
        least, no_value = rows.MADE.get(one.name, (0, frozenset()))
        if least and least <= len(one.words) <= MOST_WORDS:
            entries = [entry for entry in one.block or () if entry.name not in no_value]
            said = [entry.words[-1].text for entry in entries if entry.words]
            level.variables[one.words[-1].text.lstrip("$")] = tuple(dict.fromkeys(said))
        elif one.name == "if":
            for inner_one in one.block or ():
                if inner_one.name == "set" and len(inner_one.words) == 2:
                    self._set(inner_one.words, level)
        elif one.name not in rows.BLOCKS.get(level.context, {}):
            self.unread.append(one.head)

    def _row(self, one: Directive, found: tuple[Row, ...], level: Level, own: set[str]) -> None:
        row = next((row for row in found if level.context in row.contexts), None)
        if row is None:
            allowed = sorted({context for row in found for context in row.contexts})
            message = f"`{one.name}` may not stand in `{level.context}`"
            hint = f"it belongs in {' or '.join(f'`{context}`' for context in allowed)}"
            self.problems.add(Fault.CONTEXT, message, one.head.place, hint)
            return
        value = self.problems.lands(row, one.head, one.words)
        if row.lands in own:
            message = f"`{one.name}` is set twice in one block: nginx does not start"
            self.problems.add(Fault.REPEATED, message, one.head.place, "leave one of them out")
        own.add(row.lands)
        if value is not None:
            level.values[row.lands] = value

    def _seen(self, one: Directive, level: Level) -> None:
        words = one.words
        least, most = rows.TAKES.get(one.name, (1, len(words)))
        if one.name in rows.BALANCE:
            level.balance = one.said()
        elif not least <= len(words) <= most:
            message = f"`{one.said()}` has not the arguments that `{one.name}` takes"
            self.problems.add(Fault.ARGUMENT, message, one.head.place)
        elif one.name in rows.PASSES:
            level.passes.append(one)
        elif one.name == "listen":
            level.listens.append(one)
        elif one.name == "server":
            level.servers.append(one)
        elif one.name == "server_name":
            level.name = words[0].text
        elif one.name == "set":
            self._set(words, level)
        elif one.name == "access_log":
            self.said_logs = True
            if words[0].text != "off" and not words[0].text.startswith("syslog:"):
                self.logs.setdefault(words[0].text, words[0])
        elif one.name == "error_log":
            if words[0].text != "stderr" and not words[0].text.startswith("syslog:"):
                self.errors.setdefault(words[0].text, level.context)
        elif one.name == "proxy_set_header":
            key = words[0].text.lower()
            level.headers[key] = written(
                f"proxy_header_{key}", words[1].text, one.said(), words[1].place
            )
        elif one.name == "limit_conn":
            level.limits += _known(self.zones.at_once(one))
        elif one.name == "limit_req":
            level.rates += _known(self.zones.a_second(one))
        elif one.name == "set_real_ip_from":
            told = written(one.name, words[0].text, one.said(), words[0].place)
            level.trusted = (*level.trusted, told)

    def _set(self, words: tuple[Word, ...], level: Level) -> None:
        """A variable takes each of the values that it is set to, since `if` may set it."""
        name = words[0].text.lstrip("$")
        meant = meanings(words[1].text, level.variables)
        level.variables[name] = tuple(dict.fromkeys((*level.variables.get(name, ()), *meant)))


def _known(value: Value | None) -> tuple[Value, ...]:
    return () if value is None else (value,)


def meanings(text: str, variables: dict[str, tuple[str, ...]]) -> tuple[str, ...]:
    """What a text with variables may say: each known one as each of its values, others as is."""
    names = [found[1] or found[2] for found in VARIABLE.finditer(text)]
    choices = [variables.get(name) or (f"${name}",) for name in names]
    made = []
    for chosen in islice(product(*choices), MOST_MEANINGS):
        parts = VARIABLE.split(text)[::3]  # what stands between the variables
        filled = [part for pair in zip(parts, (*chosen, ""), strict=True) for part in pair]
        made.append("".join(filled))
    return tuple(dict.fromkeys(made))
