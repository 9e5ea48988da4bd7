"""systemd units and their drop-ins: limits of a service, and the server that `ExecStart` starts.

systemd.syntax(7): a later assignment of a list adds, an empty one resets, a backslash joins lines.
"""

from __future__ import annotations

import math
import posixpath
import re
from collections.abc import Callable, Iterator

import msgspec

from holdfast.model.path import Protocol
from holdfast.model.values import Place, Scalar, Source, Value
from holdfast.readers.address import address
from holdfast.readers.argv import same
from holdfast.readers.commands import EDGES, SERVERS, Server, gathered, in_words, under
from holdfast.readers.contract import Around, Fault, Listen, Problems, Read, Reader
from holdfast.readers.said import Said, looked_for
from holdfast.readers.shell import pairs, words
from holdfast.readers.text import Files, Text, Word, written

_SECTION = re.compile(r"\[([^\[\]\n]+)\][ \t\r]*$")
_UNIT = re.compile(r"\.(?:service|socket|slice)$")
_SPAN = re.compile(r"(\d+(?:\.\d+)?)\s*([a-zA-Zµ]*)\s*")
_SECONDS = {
    **dict.fromkeys(("", "s", "sec", "second", "seconds"), 1.0),
    **dict.fromkeys(("us", "usec", "µs"), 1e-6),
    **dict.fromkeys(("ms", "msec"), 1e-3),
    **dict.fromkeys(("m", "min", "minute", "minutes"), 60.0),
    **dict.fromkeys(("h", "hr", "hour", "hours"), 3_600.0),
    **dict.fromkeys(("d", "day", "days"), 86_400.0),
    **dict.fromkeys(("w", "week", "weeks"), 604_800.0),
}
_POWERS = {"": 0, "B": 0, "K": 1, "M": 2, "G": 3, "T": 4, "P": 5, "E": 6}


def count(text: str) -> Scalar:
    """A number, with K, M, G to the base 1024, or infinity."""
    if text == "infinity":
        return math.inf
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([BKMGTPE]?)", text)
    if found is None:
        raise ValueError("is neither a number nor `infinity`")
    return int(float(found[1]) * 1024 ** _POWERS[found[2]]) if found[2] else _plain(found[1])


def _plain(text: str) -> Scalar:
    number = float(text)
    return int(text) if "." not in text else number


def share(text: str) -> Scalar:
    """A size in bytes; a part of the host's memory is not known here."""
    if text.endswith("%"):
        raise ValueError("is a part of what the host has")
    return count(text)


def span(text: str) -> Scalar:
    """A time as systemd.time(7) has it, in seconds: 90, 1min 30s, infinity."""
    if text == "infinity":
        return math.inf
    parts = list(_SPAN.finditer(text))
    whole = "".join(part[0] for part in parts) == text
    if not whole or not text or any(part[2] not in _SECONDS for part in parts):
        raise ValueError("is no time span such as `90` or `1min 30s`")
    total = math.fsum(float(part[1]) * _SECONDS[part[2]] for part in parts)
    return int(total) if total.is_integer() else total


def cores(text: str) -> Scalar:
    """A CPU quota in per cent of one core, as cores."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)%", text)
    if found is None:
        raise ValueError("is no percentage such as `200%`")
    return float(found[1]) / 100


ROWS: dict[str, tuple[str, Callable[[str], Scalar]]] = {
    "TasksMax": ("pids_max", count),
    "MemoryMax": ("cgroup_memory_max", share),
    "MemoryLimit": ("cgroup_memory_max", share),
    "MemoryHigh": ("cgroup_memory_high", share),
    "CPUQuota": ("cpu_quota_cores", cores),
    "LimitNPROC": ("nproc", count),
    "TimeoutStopSec": ("stop_s", span),
    "TimeoutSec": ("stop_s", span),
    "KillSignal": ("kill_signal", same),
    "KillMode": ("kill_mode", same),
}
"""Directives of [Service]: where each lands (as `observe` calls it) and how it is read."""


class Line(msgspec.Struct, frozen=True):
    """One assignment: its section, its key and what stands after the `=`."""

    section: str
    key: Word
    value: Said


def lines(text: Text, problems: Problems) -> Iterator[Line]:
    """Every assignment of a unit, its joined lines as one."""
    section = ""
    for said in _joined(text):
        body = said.stripped()
        if not body.chars or body.chars[0] in "#;":
            continue
        head = _SECTION.match(body.chars)
        key, equals, _ = body.chars.partition("=")
        if head:
            section = head[1]
        elif not equals:
            message = f"`{body.chars[:60]}` is no assignment"
            problems.add(Fault.SYNTAX, message, body.place)
        else:
            value = body.cut(len(key) + 1).stripped()
            yield Line(section, body.cut(0, len(key.rstrip())).word, value)


def _joined(text: Text) -> Iterator[Said]:
    """The lines of a text; one that ends in a backslash goes on in the next but for comments."""
    chars: list[str] = []
    at: list[int] = []
    start = 0
    for line in text.said.splitlines(keepends=True):
        bare = line.rstrip("\r\n")
        comment = bool(at) and bare.lstrip()[:1] in ("#", ";")
        goes_on = bare.endswith("\\") and not comment
        if not comment:
            kept = bare[:-1] + " " if goes_on else bare
            chars.append(kept)
            at += range(start, start + len(kept))
        start += len(line)
        if at and not goes_on and not comment:
            yield Said(text, "".join(chars), at, (at[0], at[-1] + 1))
            chars, at = [], []
    if at:
        yield Said(text, "".join(chars), at, (at[0], at[-1] + 1))


class _Unit:
    """One unit while it and its drop-ins are read."""

    def __init__(self, name: str, files: Files, problems: Problems) -> None:
        self.name, self.files, self.problems = name, files, problems
        self.values: dict[str, Value] = {}
        self.starts: list[Said] = []
        self.env: dict[str, Said] = {}
        self.env_files: list[Said] = []
        self.folder: Said | None = None
        self.read: list[str] = []

    def take(self, text: Text) -> None:
        """Take what a file of the unit says."""
        self.read.append(text.name)
        for line in lines(text, self.problems):
            if line.section in ("Service", "Socket", "Slice"):
                self._assigned(line.key, line.value)

    def _assigned(self, key: Word, value: Said) -> None:
        lists = {"ExecStart": self.starts, "EnvironmentFile": self.env_files}
        if key.text in lists:
            if value.chars:
                lists[key.text].append(value)
            else:
                lists[key.text].clear()
        elif key.text == "Environment":
            self._environment(value)
        elif key.text == "WorkingDirectory":
            self.folder = value
        elif key.text == "LimitNOFILE":
            self._nofile(value)
        elif key.text in ROWS:
            self._row(key.text, value)

    def _environment(self, value: Said) -> None:
        if not value.chars:
            self.env.clear()
        for word in pairs(value):
            name, equals, _ = word.chars.partition("=")
            if equals:
                self.env[name] = word.cut(len(name) + 1)

    def _nofile(self, value: Said) -> None:
        """`soft:hard`, or one for both; empty is the manager's default again."""
        if not value.chars:
            self.values.pop("nofile", None)
            self.values.pop("nofile_hard", None)
            return
        soft, colon, _ = value.chars.partition(":")
        self._land("LimitNOFILE", "nofile", count, value.cut(0, len(soft)))
        hard = value.cut(len(soft) + 1) if colon else value
        self._land("LimitNOFILE", "nofile_hard", count, hard)

    def _row(self, key: str, value: Said) -> None:
        lands, amount = ROWS[key]
        if value.chars:
            self._land(key, lands, amount, value)
        else:
            self.values.pop(lands, None)

    def _land(self, key: str, lands: str, amount: Callable[[str], Scalar], value: Said) -> None:
        try:
            number = amount(value.chars)
        except (ValueError, OverflowError) as wrong:
            part = value.chars.endswith("%")
            fault = Fault.UNKNOWN_VALUE if part else Fault.ARGUMENT
            self.problems.add(fault, f"`{key}={value.chars}` {wrong}", value.place)
            return
        self.values[lands] = written(lands, number, value.line, value.place)

    def servers(self) -> list[Server]:
        """What `ExecStart` starts, with the unit's variables."""
        env = self.env | self._from_files()
        found: list[Server] = []
        for start in self.starts:
            prefix = len(start.chars) - len(start.chars.lstrip("-@:+!|"))
            command = words(start.cut(prefix), env)
            found += in_words(command, env, self.files, self.problems)
        return found

    def _from_files(self) -> dict[str, Said]:
        """The variables of the unit's files; one with a `-` need not be there."""
        env: dict[str, Said] = {}
        for said in self.env_files:
            name = said.chars.removeprefix("-")
            text = looked_for(name, self.read[0], self.files)
            if text is not None:
                self.read.append(text.name)
                env |= variables(text)
            elif name == said.chars:
                message = f"variables stand in `{name}`, which was not given"
                self.problems.add(Fault.NOT_FOUND, message, said.place)
        return env


def variables(text: Text) -> dict[str, Said]:
    """The variables of an environment file: NAME=value, a line each, quotes around it undone."""
    found: dict[str, Said] = {}
    start = 0
    for line in text.said.splitlines(keepends=True):
        said = Said.of(text, start, start + len(line)).stripped()
        start += len(line)
        name, equals, value = said.chars.partition("=")
        if not equals or said.chars[0] in "#;":
            continue
        at = said.cut(len(name) + 1).stripped() if value.strip() else said.cut(len(name) + 1)
        if len(at) > 1 and at.chars[0] == at.chars[-1] and at.chars[0] in "'\"":
            at = at.cut(1, len(at) - 1)
        found[name.removeprefix("export ").strip()] = at
    return found


def read(text: Text, files: Files) -> Read:
    """A unit with its drop-ins, or a drop-in alone."""
    problems = Problems()
    name = _unit_name(text.name)
    unit = _Unit(name, files, problems)
    unit.take(text)
    for drop_in in files.glob(f"{text.name}.d/*.conf") if _UNIT.search(text.name) else ():
        data = files.read(drop_in)
        if data is not None:
            unit.take(Text(drop_in, data))
    servers = unit.servers()
    if (listens := _socket(text, files, unit.read)) and name.endswith(".service"):
        servers = [_listening(server, listens) for server in servers]
    values = tuple(unit.values.values())
    if unit.starts:
        values += (_started(name, unit.starts[-1].place),)
    hops = [under(name, server, values) for server in servers]
    around = tuple(Around(name, each.program, values) for each in hops if each.found is None)
    if not servers and unit.values:
        if not unit.starts:
            first = min((v.place for v in values if v.place), key=lambda place: place.start)
            values += (_started(name, first),)
        around = (Around(name, _program(name), values),)
    return gathered(hops, problems, unit.read, around=around)


def _socket(text: Text, files: Files, names: list[str]) -> tuple[Listen, ...]:
    """Where systemd listens for a service: what its socket unit, of the same name, says.

    An instance's name (`%i`) in an address stands for what only systemd knows.
    """
    name = re.sub(r"\.service$", ".socket", text.name)
    data = files.read(name) if name != text.name else None
    if data is None:
        return ()
    names.append(name)
    found: list[Listen] = []
    for line in lines(Text(name, data), Problems()):
        if line.section == "Socket" and line.key.text == "ListenStream":
            if not line.value.chars:
                found.clear()
            elif "%" not in line.value.chars:
                at = address(line.value.chars)
                kind = Protocol.UNIX if at.path else Protocol.HTTP_1
                found.append(Listen(at, kind, line.value.place))
    return tuple(found)


def _listening(server: Server, listens: tuple[Listen, ...]) -> Server:
    """The server with the sockets that systemd hands to it: gunicorn takes those, and no others."""
    if server.program != "gunicorn" or server.found is None:
        return server
    return msgspec.structs.replace(
        server, found=msgspec.structs.replace(server.found, listens=listens)
    )


def _started(name: str, place: Place) -> Value:
    """That a unit starts the program, which is why no limit of a login is its; by which line."""
    return Value("unit", name, Source.DERIVED, "the unit that starts it", place)


def _unit_name(name: str) -> str:
    """The unit that a file belongs to: nginx.service, also for nginx.service.d/limits.conf."""
    folder = posixpath.basename(posixpath.dirname(name))
    return folder.removesuffix(".d") if folder.endswith(".d") else posixpath.basename(name)


def _program(unit: str) -> str:
    """The program that a unit's name names; empty where it names none that is known."""
    base = unit.rpartition(".")[0].partition("@")[0]
    return next((each for each in (*EDGES, *SERVERS) if each in base.split("-")), "")


def recognises(text: Text) -> bool:
    """A unit by its name, a drop-in by its folder and its sections."""
    folder = posixpath.basename(posixpath.dirname(text.name))
    named = _UNIT.search(text.name) or (text.name.endswith(".conf") and ".service.d" in folder)
    return bool(named) or re.search(r"^\[Service\][ \t\r]*$", text.said, re.MULTILINE) is not None


READER = Reader("systemd", recognises, read)
