"""The sections of a HAProxy configuration: what each inherits from `defaults`, and what it says.

A new `defaults` forgets the one before it, unless it says `from`. Reads lines, not text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from holdfast.model.path import Protocol
from holdfast.model.values import SOMETIMES, Place, Value, derived
from holdfast.readers import haproxy_rows as rows
from holdfast.readers.address import Address, address, unix
from holdfast.readers.amounts import count
from holdfast.readers.contract import Fault, Listen, Problems, Row, Server
from holdfast.readers.haproxy_rules import ruled, timed
from holdfast.readers.haproxy_text import ENVIRONMENT, Line
from holdfast.readers.text import Word, written

MOST = 100
"""Ports of one `bind`, and servers of one `server-template`, that are named one by one."""
_RANGE = re.compile(r"(.*[:@]|)(\d{1,5})-(\d{1,5})")
_FAMILY = re.compile(r"(?:quic|tcp|udp|ipv|stream\+ipv|dgram\+ipv)[46]?@")


class Proxy(msgspec.Struct):
    """One `defaults`, `frontend`, `backend` or `listen`.

    `answers` where it may answer requests itself, `h2` where its servers are spoken to so. Rules
    set timeouts, which count more than `values`: `always`, or `sometimes`, by a condition.
    """

    kind: str
    name: str
    place: Place
    values: dict[str, Value] = {}
    default_server: dict[str, Value] = {}
    checked: bool = False
    mode: str = "tcp"
    balance: str = ""
    reuse: str = "safe"
    h2: bool = False
    disabled: bool = False
    listens: list[Listen] = []
    servers: list[Server] = []
    checks: int = 0
    answers: bool = False
    uses: dict[str, Word] = {}
    always: dict[str, Value] = {}
    sometimes: tuple[Value, ...] = ()


ROWS_OF: dict[str, tuple[Row, ...]] = {
    name: tuple(row for row in rows.ROWS if row.name == name)
    for name in {row.name for row in rows.ROWS}
}


class Proxies:
    """Takes lines one by one; `values` are those of `global`."""

    def __init__(self, problems: Problems) -> None:
        self.problems = problems
        self.values: dict[str, Value] = {}
        self.all: list[Proxy] = []
        self.stats: list[Word] = []
        self.unread: list[Word] = []
        self.sections = 0
        self._named: dict[str, Proxy] = {}
        self._defaults: Proxy | None = None
        self._proxy: Proxy | None = None
        self._section = ""
        self._names: set[tuple[str, str]] = set()

    def take(self, line: Line) -> None:
        """One more line: a section begins, or one says something more."""
        name = line.head.text
        if name in rows.SECTIONS:
            self._begin(line)
        elif name in ENVIRONMENT:
            return
        elif not self._section:
            message = f"`{name}` stands before any section"
            self.problems.add(Fault.CONTEXT, message, line.head.place)
        elif self._section in rows.OTHERS:
            self.unread.append(line.head)
        else:
            self._keyword(line)

    def _begin(self, line: Line) -> None:
        self._section, words = line.head.text, [word.text for word in line.words[1:]]
        self.sections += 1
        self._proxy = None
        if self._section in rows.OTHERS or self._section == rows.GLOBAL:
            return
        outer = self._defaults if self._section != rows.DEFAULTS else None
        if "from" in words[:2] and words[-1] != "from":
            wanted = words[words.index("from") + 1]
            outer = self._named.get(wanted)
            if outer is None:
                place = line.words[-1].place
                self.problems.add(Fault.NO_TARGET, f"no `defaults {wanted}` above", place)
        own = words[0] if words and words[0] != "from" else ""
        proxy = _inherited(self._section, own, line.head.place, outer)
        self._proxy = proxy
        if self._section == rows.DEFAULTS:
            self._defaults = proxy
            if own:
                self._named[own] = proxy
        else:
            if not own:
                message = f"`{self._section}` has no name"
                self.problems.add(Fault.ARGUMENT, message, line.head.place)
            if (self._section, own) in self._names:
                message = f"a second `{self._section} {own}`: HAProxy does not start"
                self.problems.add(Fault.REPEATED, message, line.head.place, "rename one of them")
            self._names.add((self._section, own))
            self.all.append(proxy)

    def _keyword(self, line: Line) -> None:
        """A line of a section: by its row, or one of those that say more than a value."""
        no = line.head.text == "no" and len(line.words) > 1
        words = line.words[1:] if no else line.words
        taken = 2 if words[0].text in rows.TWO_WORDS and len(words) > 1 else 1
        name = " ".join(word.text for word in words[:taken])
        if found := ROWS_OF.get(name):
            self._row(name, found, words, taken)
        elif name == "stats socket":
            self.stats.append(words[1])
        elif name == "strict-limits":
            value = written("strict_limits", not no, line.said(), words[0].place)
            self.values["strict_limits"] = value
        elif self._proxy is None:
            self.unread.append(line.head)
        elif words[0].text == "option" and taken == 2 and words[1].text in rows.OPTIONS:
            setting = f"option_{words[1].text.replace('-', '_')}"
            self._proxy.values[setting] = written(setting, not no, line.said(), words[1].place)
        elif not self._said(self._proxy, Line(words)):
            self.unread.append(line.head)

    def _row(self, name: str, found: Sequence[Row], words: tuple[Word, ...], taken: int) -> None:
        row = next((row for row in found if self._section in row.contexts), None)
        if row is None:
            allowed = sorted({context for row in found for context in row.contexts})
            message = f"`{name}` has no effect in a `{self._section}`"
            hint = f"it belongs in {' or '.join(f'`{context}`' for context in allowed)}"
            self.problems.add(Fault.CONTEXT, message, words[0].place, hint)
            return
        head = Word(name, words[0].place)
        value = self.problems.lands(row, head, words[taken : taken + 1])
        if value is not None:
            values = self.values if self._proxy is None else self._proxy.values
            values[row.lands] = value

    def _said(self, proxy: Proxy, line: Line) -> bool:
        """Whether the line was one of those that a proxy is made of."""
        name, words = line.head.text, line.words[1:]
        if name == "bind" and words and proxy.kind in rows.IN_FRONT:
            proxy.listens += self._bind(proxy, words)
        elif name == "default-server":
            proxy.default_server |= self._parameters(line, words)
            proxy.checked = _flag("check", words, otherwise=proxy.checked)
            proxy.h2 = proxy.h2 or _speaks_h2(words)
        elif name == "server" and len(words) > 1 and proxy.kind in rows.BEHIND:
            self._server(proxy, line, words[1], words[2:], 1)
        elif name == "server-template" and len(words) > 2 and proxy.kind in rows.BEHIND:
            self._server(proxy, line, words[2], words[3:], self._many(words[1]))
        elif name in ("use_backend", "default_backend") and words:
            key = words[0].text if name == "use_backend" else "default_backend"
            proxy.uses[key] = words[0]
        elif name == "mode" and words:
            proxy.mode = words[0].text
        elif name == "balance" and words:
            proxy.balance = words[0].text
        elif name == "http-reuse" and words:
            proxy.reuse = words[0].text
        elif name in ("disabled", "enabled"):
            proxy.disabled = name == "disabled"
        else:
            proxy.answers = proxy.answers or name in rows.ANSWERS
            if name == "http-request":
                self._ruled(proxy, line)
            return False
        return True

    def _ruled(self, proxy: Proxy, line: Line) -> None:
        """What a rule says: for every request, or for those that its condition picks."""
        proxy.values |= ruled(line, self.problems)
        told = timed(line, proxy.kind, self.problems)
        if told is None:
            return
        setting = told.value.setting.removeprefix(SOMETIMES)
        if told.always:
            proxy.always[setting] = told.value
            over = f"{SOMETIMES}{setting}"
            proxy.sometimes = tuple(v for v in proxy.sometimes if v.setting != over)
        else:
            proxy.sometimes = (*proxy.sometimes, told.value)

    def _many(self, word: Word) -> int:
        low, dash, high = word.text.partition("-")
        try:
            many = count(high) - count(low) + 1 if dash else count(low)
        except ValueError:
            self.problems.add(Fault.ARGUMENT, f"`{word.text}`: a number is wanted", word.place)
            return 1
        if many > MOST:
            message = f"{many:,} servers of one line: {MOST:,} are counted"
            self.problems.add(Fault.UNREAD, message, word.place)
        return max(0, min(many, MOST))

    def _server(
        self, proxy: Proxy, line: Line, where: Word, words: Sequence[Word], many: int
    ) -> None:
        if _flag("disabled", words, otherwise=False):
            return
        values = proxy.default_server | self._parameters(line, words)
        backup = _flag("backup", words, otherwise=False)
        own = tuple(values.values())
        proxy.servers += [Server(_address(where.text), where.place, backup, own)] * many
        proxy.checks += many * _flag("check", words, otherwise=proxy.checked)
        proxy.h2 = proxy.h2 or _speaks_h2(words)

    def _parameters(self, line: Line, words: Sequence[Word]) -> dict[str, Value]:
        """The values of a `server` or `default-server` line, by the word before each."""
        made = {}
        for word, after in _pairs(words):
            if word.text in rows.OF_A_SERVER:
                lands, amount = rows.OF_A_SERVER[word.text]
                row = Row(word.text, rows.BEHIND, lands, amount)
                value = self.problems.lands(row, word, (after,))
                if value is not None:
                    made[lands] = msgspec.structs.replace(value, why=line.said())
        return made

    def _bind(self, proxy: Proxy, words: Sequence[Word]) -> Iterator[Listen]:
        """One socket for each address and port of a `bind`, with what it says of them."""
        values, h2 = [], _speaks_h2(words[1:])
        for word, after in _pairs(words[1:]):
            if word.text in ("maxconn", "backlog"):
                lands = "bind_maxconn" if word.text == "maxconn" else "backlog"
                row = Row(word.text, rows.IN_FRONT, lands, count)
                value = self.problems.lands(row, word, (after,))
                values += [value] if value is not None else []
            elif word.text == "ssl":
                values.append(written("ssl", True, "bind ... ssl", word.place))
        plain = Protocol.HTTP_1 if proxy.mode == "http" else Protocol.TCP
        protocol = Protocol.HTTP_2 if h2 and proxy.mode == "http" else plain
        for text in words[0].text.split(","):
            for where in self._ports(text, words[0]):
                yield Listen(where, protocol, words[0].place, tuple(values))

    def _ports(self, text: str, word: Word) -> Iterator[Address]:
        found = _RANGE.fullmatch(text)
        if found is None:
            yield _address(text)
            return
        low, high = int(found[2]), int(found[3])
        if high - low >= MOST:
            message = f"{high - low + 1:,} ports of one line: {MOST:,} are counted"
            self.problems.add(Fault.UNREAD, message, word.place)
        for port in range(low, min(high + 1, low + MOST)):
            yield _address(f"{found[1]}{port}")


def _inherited(kind: str, name: str, place: Place, outer: Proxy | None) -> Proxy:
    """A new section with what its `defaults` say."""
    if outer is None:
        return Proxy(kind, name, place)
    uses = {} if kind == rows.BACKEND else dict(outer.uses)
    return Proxy(
        kind,
        name,
        place,
        dict(outer.values),
        dict(outer.default_server),
        outer.checked,
        outer.mode,
        outer.balance,
        outer.reuse,
        outer.h2,
        outer.disabled,
        answers=outer.answers,
        uses=uses,
        always=dict(outer.always),
        sometimes=outer.sometimes,
    )


def _pairs(words: Sequence[Word]) -> Iterator[tuple[Word, Word]]:
    """Each parameter with the word after it; words that belong to a parameter are none."""
    at = 0
    while at < len(words):
        word = words[at]
        valued = word.text in rows.WITH_A_WORD or word.text in rows.OF_A_SERVER
        if valued and at + 1 < len(words):
            yield word, words[at + 1]
            at += 2
        else:
            yield word, Word("", word.place)
            at += 1


def _flag(name: str, words: Sequence[Word], *, otherwise: bool) -> bool:
    """Whether a parameter without a word stands there, or its negation."""
    found = otherwise
    for word, _ in _pairs(words):
        if word.text in (name, f"no-{name}"):
            found = word.text == name
    return found


def _speaks_h2(words: Sequence[Word]) -> bool:
    """Whether HTTP/2 is among the protocols that a `bind` or `server` line offers."""
    spoken = (after.text for word, after in _pairs(words) if word.text in ("alpn", "proto"))
    return any("h2" in text.split(",") for text in spoken)


def _address(text: str) -> Address:
    """An address as HAProxy writes it: `*:80`, `:80`, `:::80`, `ipv4@app:80`, `unix@/run/a`."""
    if text.startswith(("unix@", "abns@", "/")):
        return unix(text.removeprefix("unix@"))
    bare = _FAMILY.sub("", text)
    if bare.startswith((":::", "[::]:")) or bare.count(":") > 1:
        host, _, port = bare.rpartition(":")
        if port.isascii() and port.isdigit() and len(port) < 6:
            return Address(host=host.strip("[]") or "::", port=int(port))
    return address(bare)


def summed(servers: Sequence[Server]) -> Iterable[Value]:
    """What a backend's servers say together: what all say, else the mean of what each takes.

    A server without `maxconn`, or with 0, takes whatever comes: then nothing is bounded.
    """
    told: dict[str, list[Value]] = {}
    for server in servers:
        for value in server.values:
            told.setdefault(value.setting, []).append(value)
    for setting, said in told.items():
        numbers = [value.number for value in said]
        if setting == "server_maxconn" and (len(said) < len(servers) or 0 in numbers):
            continue
        if len(set(numbers)) == 1:
            yield said[0]
        else:
            made = derived(setting, sum(numbers) / len(numbers), f"mean of {len(said)} servers")
            yield msgspec.structs.replace(made, place=said[0].place)
