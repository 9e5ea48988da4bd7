"""Reads a HAProxy configuration: one hop, the sockets of its frontends, each way to a backend.

Opens no file. What a frontend says holds before a backend's where both may say it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from holdfast.model.errors import BadInput
from holdfast.model.path import Protocol, Spread
from holdfast.model.values import Place, Source, Value, derived
from holdfast.readers import haproxy_rows as rows
from holdfast.readers.address import Address
from holdfast.readers.contract import (
    Dial,
    Fault,
    Found,
    Listen,
    Problems,
    Processes,
    Read,
    Reader,
    Server,
)
from holdfast.readers.haproxy_proxies import Proxies, Proxy, summed
from holdfast.readers.haproxy_text import Lines
from holdfast.readers.text import Files, Text, quotes

_LOOK = re.compile(r"^[ \t]*(?:global|defaults|(?:frontend|backend|listen)[ \t]+\S+)", re.MULTILINE)
_OTHER = re.compile(r"[{;]")
STREAMS = 100
"""Requests on one HTTP/2 connection to a server: `tune.h2.max-concurrent-streams`, unset."""
OF_CLIENTS = ("timeout_client_s",)
"""What a rule of a frontend sets; the other timeouts are a backend's."""


def recognises(text: Text) -> bool:
    """Whether a section of HAProxy begins in it, and no block of another program."""
    found = None if quotes(text.name) else _LOOK.search(text.said)
    if found is None:
        return False
    line = text.said[found.start() : text.said.find("\n", found.end())]
    return _OTHER.search(line) is None


def read(text: Text, files: Files) -> Read:  # noqa: ARG001
    """The hop of a HAProxy configuration; raises BadInput where no section begins in it."""
    problems = Problems()
    proxies = Proxies(problems)
    for line in Lines(text, problems):
        proxies.take(line)
    if text.said.strip() and not proxies.sections:
        hint = "give haproxy.cfg, in which a line begins with `global`, `frontend` or `listen`"
        raise BadInput("holds no section of HAProxy", place=text.name, hint=hint)
    hops = (_found(proxies, problems),) if proxies.sections else ()
    return Read(
        hops, problems=tuple(problems.found), unread=tuple(proxies.unread), files=(text.name,)
    )


def _found(proxies: Proxies, problems: Problems) -> Found:
    told = dict(proxies.values)
    count = told.pop("nbproc", None)
    processes = Processes(0, 1, Value("nbproc", 1, Source.DEFAULT, "haproxy"))
    if count is not None:
        processes = Processes(0, int(count.number), count)
    fronts = [one for one in proxies.all if one.kind in rows.IN_FRONT and not one.disabled]
    listens = [listen for one in fronts for listen in one.listens]
    backends = {one.name: one for one in proxies.all if one.kind in rows.BEHIND}
    dials = [dial for one in fronts for dial in _ways(one, backends, problems)]
    checked = [one.checks for one in proxies.all if not one.disabled]
    return Found(
        "haproxy",
        "haproxy",
        processes,
        (*told.values(), *_counted(proxies, listens, sum(checked))),
        tuple(listens),
        tuple(dials),
    )


def _counted(proxies: Proxies, listens: Sequence[Listen], checks: int) -> list[Value]:
    """What HAProxy opens for itself, counted from the lines that say so."""
    made = []
    if listens:
        why = ", ".join(str(listen.address) for listen in listens[:9])
        made.append(_at(derived("listeners", len(listens), why), listens[0].place))
    if proxies.stats:
        value = derived("stats_sockets", len(proxies.stats), "`stats socket`")
        made.append(_at(value, proxies.stats[0].place))
    if checks:
        made.append(derived("checks", checks, "servers with `check`"))
    return made


def _at(value: Value, place: Place) -> Value:
    return msgspec.structs.replace(value, place=place)


def _ways(front: Proxy, backends: dict[str, Proxy], problems: Problems) -> list[Dial]:
    """Each way out of a frontend: its own servers, and each backend that it names."""
    way = f"{front.kind} {front.name}"
    dials = [_dial(way, front, front)] if front.servers else []
    default = front.uses.get("default_backend")
    usual = None if default is None else backends.get(default.text)
    for word in {word.text: word for word in front.uses.values()}.values():
        if "%[" in word.text or "$" in word.text:
            message = f"`{word.text}` names a backend by what a request says"
            problems.add(Fault.UNKNOWN_VALUE, message, word.place)
        elif word.text not in backends:
            message = f"backend `{word.text}` is not defined"
            problems.add(Fault.NO_TARGET, message, word.place)
        elif not (backends[word.text].disabled or _again(backends[word.text], usual)):
            dials.append(_dial(way, front, backends[word.text]))
    if front.listens and not (dials or front.uses or front.answers):
        message = f"{way} listens and has no backend: every request is answered 503"
        problems.add(Fault.NO_TARGET, message, front.place, "add `default_backend`")
    return dials


def _again(back: Proxy, usual: Proxy | None) -> bool:
    """Whether a backend is the usual one's servers once more: most requests meet what that says."""
    if usual is None or usual is back or usual.disabled:
        return False
    both = [{str(one.address) for one in each.servers if not one.backup} for each in (back, usual)]
    return bool(both[0]) and both[0] == both[1]


def _dial(way: str, front: Proxy, back: Proxy) -> Dial:
    settings = {row.lands for row in rows.ROWS if rows.FRONTEND in row.contexts} | rows.RULES
    alive = front.values.get("option_clitcpka")
    if alive is None or not alive.value:
        settings -= rows.ALIVE
    before = {name: value for name, value in front.values.items() if name in settings}
    behind = {row.lands for row in rows.ROWS if rows.BACKEND in row.contexts}
    options = {name: v for name, v in front.values.items() if name.startswith("option_")}
    later = {n: v for n, v in back.values.items() if n in behind or n.startswith("option_")}
    ruled = {n: v for n, v in front.always.items() if n in OF_CLIENTS} | back.always
    some = [v for v in front.sometimes if v.setting.endswith(OF_CLIENTS)]
    some += [v for v in back.sometimes if not v.setting.endswith(OF_CLIENTS)]
    servers = tuple(back.servers)
    active = [one for one in servers if not one.backup] or list(servers)
    told = {value.setting: value for value in summed(active)}
    idle = told.pop("pool_purge_delay_s", None) or Value(
        "pool_purge_delay_s", None, Source.DEFAULT, "haproxy"
    )
    shares = back.h2 and back.reuse in ("always", "aggressive")
    return Dial(
        back.name,
        way,
        servers,
        _protocol(back, servers),
        _spread(back, len(active)),
        idle,
        tuple(_addresses(front)),
        (*(later | options | before | ruled).values(), *told.values(), *some),
        STREAMS if shares else 1.0,
    )


def _addresses(front: Proxy) -> list[Address]:
    return [listen.address for listen in front.listens]


def _protocol(back: Proxy, servers: Sequence[Server]) -> Protocol:
    if back.h2:
        return Protocol.HTTP_2
    unix = bool(servers) and all(server.address.path for server in servers)
    return Protocol.UNIX if unix else Protocol.TCP


def _spread(back: Proxy, servers: int) -> Spread:
    """In turn is even while requests last alike, as the least connections are."""
    if servers == 1:
        return Spread.ONLY
    name = back.balance.partition("(")[0]
    even = name in ("", "roundrobin", "static-rr", "leastconn", "first")
    if even or (name == "random" and back.balance != "random(1)"):
        return Spread.LEAST
    return Spread.HASH


READER = Reader("haproxy", recognises, read, rows.ROWS)
