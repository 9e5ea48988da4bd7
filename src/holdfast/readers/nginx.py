"""Reads an nginx configuration: one hop, the sockets it listens on, each way that it passes on.

Files, parts of one (a site), and what `nginx -T` prints. Opens no file.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from holdfast.model.errors import BadInput
from holdfast.model.path import Protocol, Spread
from holdfast.model.values import Source, Value, derived
from holdfast.readers import nginx_rows as rows
from holdfast.readers.address import Address, address
from holdfast.readers.amounts import count
from holdfast.readers.contract import (
    Dial,
    Fault,
    Found,
    Listen,
    Problems,
    Processes,
    Read,
    Reader,
    Row,
    Server,
)
from holdfast.readers.nginx_aliases import alias_of
from holdfast.readers.nginx_levels import Level, Levels, meanings
from holdfast.readers.nginx_sockets import Sockets
from holdfast.readers.nginx_text import DUMPED, Directive, Tree
from holdfast.readers.nginx_upstreams import spread, together
from holdfast.readers.text import Files, Text, quotes, written

_LOOK = re.compile(
    r"^\s*(?:(?:http|events|stream|server|upstream\s+\S+)\s*\{|location\s[^\n]*\{"
    r"|(?:worker_(?:processes|connections)|proxy_pass)\s[^\n;]*;)",
    re.MULTILINE,
)
WHOLE = {"http", "events", "stream", "mail", "worker_processes", "user", "pid", "daemon"}
"""Any of these at the outermost level, and it is a main file; else a part of one."""
SITE = {"server", "upstream", *rows.MADE, *rows.ZONES}
_URL = re.compile(r"(?:(?P<scheme>https?|grpcs?|\$\w+)://)?(?P<where>unix:[^:]+|[^/]*)")
_TAIL = re.compile(r"\$\{?(?:request_uri|uri|document_uri)\b")
"""Variables that begin with a slash: they end the server's name as a slash does."""


class _Group(NamedTuple):
    """An upstream: its values, its servers, what is said of each of them, and how it spreads."""

    values: dict[str, Value]
    servers: tuple[Server, ...]
    told: tuple[Value, ...]
    spread: Spread


class _Site:
    """Walks the tree; what it finds becomes one hop."""

    def __init__(self, problems: Problems) -> None:
        self.problems = problems
        self.levels = Levels(problems)
        self.sockets = Sockets(problems)
        self.upstreams: dict[str, Directive] = {}
        self.groups: dict[tuple[int, int | None], _Group] = {}
        self.dials: list[Dial] = []
        self.aliases: list[Value] = []

    def blocks(
        self,
        block: list[Directive],
        level: Level,
        server: str = "",
        listens: tuple[Address, ...] = (),
    ) -> None:
        """Walk the blocks of a level, and those in them."""
        inside = rows.BLOCKS.get(level.context, {})
        for one in block:
            if one.block is None or one.name not in inside or one.name == "upstream":
                continue
            context = inside[one.name]
            inner = self.levels.enter(one.block, context, level)
            if context in rows.LISTENING:
                listens = self.sockets.of(one, inner)
                server = inner.name
            elif context == rows.LOCATION:
                inner.name = f"{server}, {one.said()}" if server else one.said()
                if (alias := alias_of(one)) is not None:
                    self.aliases.append(alias)
            for passed in inner.passes:
                self.dial(passed, inner, listens)
            self.blocks(one.block, inner, server, listens)

    def gather(self, block: list[Directive], context: str) -> None:
        """Note the upstreams of a context, which may stand below those who name them."""
        for one in block:
            if one.block is not None and one.name == "upstream" and one.words:
                self.upstreams.setdefault(f"{context} {one.words[0].text}", one)

    def dial(self, one: Directive, level: Level, listens: tuple[Address, ...]) -> None:
        """One way out for each target that the words of a `proxy_pass` may mean."""
        meant = meanings(one.words[0].text, level.variables)
        for text in dict.fromkeys(_target(url) for url in meant):
            scheme, where = text
            port = 443 if scheme in ("https", "grpcs") else rows.PASSES[one.name]
            self._way(one, where, port, level, listens)

    def _way(
        self,
        one: Directive,
        where: str,
        port: int | None,
        level: Level,
        listens: tuple[Address, ...],
    ) -> None:
        word = one.words[0]
        own: tuple[Value, ...]
        servers: tuple[Server, ...]
        stream = level.context == rows.STREAM_SERVER
        kind = rows.STREAM_UPSTREAM if stream else rows.UPSTREAM
        values, own = dict(level.values), ()
        if one.name == "proxy_pass" and not stream:
            values["proxy_pass"] = written("proxy_pass", "http", one.said(), word.place)
        shared, servers = Spread.ONLY, (Server(address(where, port), word.place),)
        named = self.upstreams.get(f"{rows.STREAM if stream else rows.HTTP} {where}")
        if named is not None:
            group = self._group(where, named, kind, port)
            values |= group.values
            shared, servers, own = group.spread, group.servers, group.told
        elif "$" in where:
            message = f"`{word.text}` names a server by a variable that is not written here"
            hint = "say which servers it may be, with `set` or `map`, to have this way counted"
            self.problems.add(Fault.UNKNOWN_VALUE, message, word.place, hint)
        idle = values.get("upstream_keepalive_timeout_s") or Value(
            "upstream_keepalive_timeout_s", None, Source.DEFAULT, "nginx"
        )
        unix_only = bool(servers) and all(server.address.path for server in servers)
        self.dials.append(
            Dial(
                where,
                level.name,
                servers,
                Protocol.UNIX if unix_only else Protocol.TCP,
                shared,
                idle,
                listens,
                (*values.values(), *own, *_extra(level)),
            )
        )

    def _group(self, name: str, named: Directive, kind: str, port: int | None) -> _Group:
        """What an upstream says, read once for all who name it."""
        key = (id(named), port)
        if key not in self.groups:
            level = self.levels.enter(named.block or [], kind)
            servers, told = self._servers(level, port)
            if not servers:
                message = f"upstream `{name}` has no server"
                self.problems.add(Fault.NO_TARGET, message, named.head.place)
            even = spread(level.balance, len(servers))
            self.groups[key] = _Group(level.values, servers, told, even)
        return self.groups[key]

    def _servers(
        self, group: Level, port: int | None
    ) -> tuple[tuple[Server, ...], tuple[Value, ...]]:
        """The servers of an upstream that are not `down`, and what is said of all of them."""
        servers, told = [], []
        for one in group.servers:
            flags = {word.text for word in one.words[1:]}
            if "down" in flags:
                continue
            where = address(one.words[0].text, port)
            said = {name: self._of(one, name) for name in rows.OF_A_SERVER}
            own = tuple(value for value in said.values() if value is not None)
            servers.append(Server(where, one.words[0].place, "backup" in flags, own))
            if "backup" not in flags:
                told.append(said)
        values = (together([of[name] for of in told], name) for name in rows.OF_A_SERVER)
        return tuple(servers), tuple(value for value in values if value is not None)

    def _of(self, one: Directive, name: str) -> Value | None:
        word = next((word for word in one.words if word.text.startswith(f"{name}=")), None)
        if word is None:
            return None
        lands = f"{name}_s" if name == "fail_timeout" else name
        row = Row(name, frozenset((rows.UPSTREAM,)), lands, rows.OF_A_SERVER[name])
        return self.problems.lands(row, one.head, (word.after(f"{name}="),))


def _target(url: str) -> tuple[str, str]:
    """Scheme, and host with port or socket, of what `proxy_pass` names."""
    found = _URL.match(url)
    if found is None:
        return "http", url
    return found["scheme"] or "http", _TAIL.split(found["where"], maxsplit=1)[0]


def _extra(level: Level) -> Iterable[Value]:
    """The smallest limit of each kind, whose word is taken for a client's address, and headers."""
    least: dict[str, Value] = {}
    for value in (*level.limits, *level.rates):
        known = least.get(value.setting, value)
        least[value.setting] = min(known, value, key=lambda each: each.number)
    yield from least.values()
    if level.context != rows.STREAM_SERVER:
        yield from level.trusted
    yield from (level.headers[key] for key in ("connection", "upgrade") if key in level.headers)


def recognises(text: Text) -> bool:
    """Whether it looks like nginx: a block or directive that only nginx has, or a dump."""
    if quotes(text.name):
        return False
    return bool(_LOOK.search(text.said) or DUMPED.search(text.said))


def read(text: Text, files: Files) -> Read:
    """The hop of an nginx configuration; raises BadInput where not one directive is in it."""
    problems = Problems()
    tree = Tree(text, files, problems)
    top = tree.top()
    if text.said.strip() and not tree.any:
        hint = "give nginx.conf, a file that it includes, or what `nginx -T` prints"
        raise BadInput("holds no directive of nginx", place=text.name, hint=hint)
    site = _Site(problems)
    whole = not WHOLE.isdisjoint(one.name for one in top)
    level = _main(site, top) if whole else _part(site, top)
    any_of_it = whole or site.dials or site.sockets.found
    hops = (_found(site, level, whole=whole),) if any_of_it else ()
    unread = tuple(site.levels.unread)
    return Read(hops, problems=tuple(problems.found), unread=unread, files=tuple(tree.read))


def _part(site: _Site, top: list[Directive]) -> Level:
    """Walk a part of a configuration as if it stood where it belongs."""
    names = {one.name for one in top}
    site.gather(top, rows.HTTP)
    context = rows.HTTP if names & SITE else rows.SERVER
    if context == rows.SERVER and not names & {"location", "listen"}:
        context = rows.LOCATION
    part = site.levels.enter(top, context)
    for passed in part.passes:
        site.dial(passed, part, ())
    site.blocks(top, part)
    return Level(rows.MAIN)


def _main(site: _Site, top: list[Directive]) -> Level:
    """Walk a main file; the level that holds for the whole process."""
    main = site.levels.enter(top, rows.MAIN)
    for one in top:
        for_it = rows.BLOCKS[rows.MAIN].get(one.name)
        if one.block is None or for_it is None:
            continue
        level = site.levels.enter(one.block, for_it)
        if for_it == rows.EVENTS:
            main.values |= level.values
        site.gather(one.block, for_it)
        site.blocks(one.block, level)
    return main


def _found(site: _Site, level: Level, *, whole: bool) -> Found:
    told = level.values.pop("worker_processes", None)
    values = [*level.values.values()]
    listeners = site.sockets.opened()
    if listeners:
        first = site.sockets.found[listeners[0]].place
        made = derived("listeners", len(listeners), ", ".join(str(one) for one in listeners))
        values.append(msgspec.structs.replace(made, place=first))
    values += _logs(site.levels)
    values += site.aliases
    return Found(
        "nginx",
        "nginx",
        _processes(told, site.problems, whole=whole),
        tuple(values),
        tuple(
            Listen(where, socket.protocol, socket.place, tuple(socket.values.values()))
            for where, socket in site.sockets.found.items()
        ),
        tuple(site.dials),
    )


def _logs(levels: Levels) -> Iterable[Value]:
    """The log files besides the main error log, which is open whatever is said of it."""
    errors = [name for name, context in levels.errors.items() if context != rows.MAIN]
    if not levels.said_logs and not errors:
        return
    access = list(levels.logs) if levels.said_logs else ["the default access log"]
    names = [*access, *(name for name in errors if name not in levels.logs)]
    yield derived("log_files", len(names), ", ".join(names) or "`access_log off`")


def _processes(told: Value | None, problems: Problems, *, whole: bool) -> Processes:
    if told is None:
        source = Source.DEFAULT if whole else Source.ASSUMED
        why = "nginx" if whole else "a part of a configuration: its main file was not given"
        return Processes(0, 1, Value("worker_processes", 1 if whole else None, source, why))
    if told.value == "auto":
        return Processes(1, 0, told)
    try:
        number = count(str(told.value))
    except ValueError:
        if told.place is not None:
            message = f"`worker_processes {told.value}`: a number or `auto` is wanted"
            problems.add(Fault.ARGUMENT, message, told.place)
        return Processes(0, 1, told)
    return Processes(0, number, msgspec.structs.replace(told, value=number))


READER = Reader("nginx", recognises, read, rows.ROWS)
