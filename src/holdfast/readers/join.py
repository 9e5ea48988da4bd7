"""Ties what dials to what listens: hops as files describe them become paths. Knows no program.

One path for each way that a request may take; what could not be tied is said, never left out.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice

import msgspec

from holdfast.model.path import Hop, Host, Link, Path, Protocol, Spread
from holdfast.model.values import Scalar, Source, Value, assumed, derived
from holdfast.readers.address import INSTANCE, Address, of_instance, reaches
from holdfast.readers.contract import Dial, Found, Listen, Read, Server

UNKNOWN = "unknown"
"""The program of a hop that is dialled, and of which nothing was read."""
KERNEL = "kernel"
RETURNS = "returns"
"""A hop's value: how often a request comes back to it, since it dials a socket of its own."""
MOST_RETURNS = 4
HOSTS = "hosts"
"""A hop's value: over how many hosts its processes are spread, if over several."""
MOST_WAYS = 200
MOST_TRIED = 10_000
MOST_DEPTH = 20
"""Hops behind each other; real paths have a fifth of that."""
KEPT = ("keep_alive_s", "keepalive_timeout_s", "timeout_http_keep_alive_s")
"""What programs call the time that they keep an idle connection of a client."""


class Way(msgspec.Struct, frozen=True):
    """One way of a request: what it is called, what its clients may speak, the path it takes.

    `enters` is the address that they come to, `assumed` what was taken for granted to tie it.
    """

    name: str
    clients: Protocol
    path: Path
    enters: str = ""
    assumed: tuple[str, ...] = ()


class _Tail(msgspec.Struct, frozen=True):
    """What lies behind a hop: the link to it, its hops, and what there is to say."""

    link: Link
    hops: tuple[Hop, ...]
    assumed: tuple[str, ...] = ()
    unjoined: tuple[str, ...] = ()


def join(
    reads: Sequence[Read], host: Host, versions: Mapping[str, str] | None = None
) -> tuple[Way, ...]:
    """Every way through what was read, all of it on `host`; `versions` of programs by name.

    Ways that differ in nothing but their name are one. At most `MOST_WAYS`.
    """
    ways = _Join(reads, host, versions or {}).ways()
    told: dict[object, Way] = {}
    for way in islice(ways, MOST_TRIED):
        told.setdefault((way.clients, _plain(way.path)), way)
    return tuple(told.values())[:MOST_WAYS]


class _Join:
    """Finds who listens by port and by socket, so that each server is looked up once."""

    def __init__(self, reads: Sequence[Read], host: Host, versions: Mapping[str, str]) -> None:
        told = tuple(value for read in reads for value in read.host)
        self.host = msgspec.structs.replace(host, values=host.values + told)
        self.versions = dict(versions)
        self.founds = _merged([found for read in reads for found in read.hops])
        self.around: dict[str, list[Value]] = {}
        for around in (around for read in reads for around in read.around):
            self.around.setdefault(around.program, []).extend(around.values)
            if around.version:
                self.versions[around.program] = around.version
        self._led: dict[tuple[int, Address], list[Dial]] = {}
        self._at: dict[object, list[tuple[Found, Listen]]] = {}
        self._instances: list[tuple[Found, Listen]] = []
        for found in self.founds:
            for dial in found.dials:
                for where in dial.listens:
                    self._led.setdefault((id(found), where), []).append(dial)
            for listen in found.listens:
                where = listen.address
                self._at.setdefault(where.path or where.port, []).append((found, listen))
                if INSTANCE.search(str(where)):
                    self._instances.append((found, listen))

    def ways(self) -> Iterator[Way]:
        """The ways that begin at hops which no other one dials."""
        dialled = {
            (id(found), server.address): (found, server)
            for found in self.founds
            for dial in found.dials
            for server in dial.servers
        }
        behind = {
            id(one)
            for found, server in dialled.values()
            for one, _, _ in self._who(server)
            if one is not found
        }
        for found in self.founds:
            if id(found) not in behind or len(behind) == len(self.founds):
                yield from self._from(found)

    def _from(self, found: Found) -> Iterator[Way]:
        """Each way out of a hop that clients reach, by each kind of socket that leads there."""
        kernel = Hop(KERNEL, KERNEL, "", self.host.name, 1)
        for dial in found.dials or (None,):
            listens = found.listens
            if dial is not None:
                listens = tuple(one for one in listens if one.address in dial.listens)
            for listen in _kinds(listens) or (None,):
                speak = listen.protocol if listen else Protocol.HTTP_1
                enters = str(listen.address) if listen else ""
                if dial is None:
                    path = Path((self.host,), (kernel, self._hop(found, listen, None, ())))
                    yield Way(found.name, speak, path, enters)
                    continue
                for *own, last in self._through(found, dial):
                    for tail in self._behind(found, last, (id(found),)):
                        hop = _again(len(own), self._hop(found, listen, last, (tail.link,)))
                        path = Path((self.host,), (kernel, hop, *tail.hops), tail.unjoined)
                        yield Way(f"{dial.way} -> {last.name}", speak, path, enters, tail.assumed)

    def _behind(self, found: Found, dial: Dial, seen: tuple[int, ...]) -> Iterator[_Tail]:
        """What lies behind a way out of a hop: one tail for each way on from there."""
        servers = [one for one in dial.servers if not one.backup] or list(dial.servers)
        met: dict[int, tuple[Found, Listen, int]] = {}
        lost: list[Server] = []
        granted: list[str] = []
        unjoined: list[str] = []
        hosts = 0
        for server in servers:
            who = next((w for w in self._who(server) if not w[2] or id(w[0]) not in seen), None)
            if who is None or id(who[0]) in seen or len(seen) > MOST_DEPTH:
                lost.append(server)
                unjoined.append(_lost(found, server, who[0] if who else None))
                continue
            one, listen, of_several = who
            if of_several:
                granted.append(of_several)
                hosts += not INSTANCE.search(str(listen.address))
            times = met[id(one)][2] if id(one) in met else 0
            met[id(one)] = (one, listen, times + 1 if of_several or not times else times)
        if not servers:
            unjoined.append(f"{dial.way}: `{dial.name}` has no server")
        if not met:
            name = dial.name if dial.name != found.name else f"{dial.name}-behind"
            hop = Hop(name, UNKNOWN, "", self.host.name, max(1, len(servers)))
            yield _Tail(_link(dial, hop, len(servers), None), (hop,), (), tuple(unjoined))
            return
        first, listen, _ = next(iter(met.values()))
        count = sum(self._processes(one) * times for one, _, times in met.values())
        alone = count == sum(times for _, _, times in met.values())
        if any(_differ(first, one) for one, _, _ in met.values()):
            granted.append(f"all servers of `{dial.name}` are taken to be like `{first.name}`")
        onward = [d for d in first.dials if not d.listens or listen.address in d.listens]
        others = [one for one, _, _ in met.values() if one is not first]
        ways: Iterable[tuple[Dial | None, ...]] = ((None,),)
        if onward:
            ways = (way for each in onward for way in self._through(first, each))
        for *own, last in ways:
            tails: Iterator[_Tail | None] = iter((None,))
            if last is not None:
                tails = self._behind(first, last, (*seen, id(first)))
            for tail in tails:
                links = (tail.link,) if tail else ()
                hop = _over(hosts, self._hop(first, listen, last, links, count, others))
                hop = _again(len(own), hop)
                link = _link(dial, hop, len(servers) - len(lost), first, alone=alone)
                yield _Tail(
                    link,
                    (hop, *(tail.hops if tail else ())),
                    (*granted, *(tail.assumed if tail else ())),
                    (*unjoined, *(tail.unjoined if tail else ())),
                )

    def _through(
        self, found: Found, dial: Dial, before: tuple[Dial, ...] = ()
    ) -> Iterator[tuple[Dial, ...]]:
        """The ways out that a request takes one after the other, through the hop's own sockets.

        The last of them leads out of it; or further around, where nothing else does.
        """
        taken = (*before, dial)
        met = (who for server in dial.servers for who in self._who(server))
        own = dict.fromkeys(at.address for one, at, granted in met if one is found and not granted)
        led = (each for where in own for each in self._led.get((id(found), where), ()))
        onward = [each for each in led if all(each is not known for known in taken)]
        if not onward or len(taken) > MOST_RETURNS:
            yield taken
            return
        for each in onward:
            yield from self._through(found, each, taken)

    def _who(self, server: Server) -> list[tuple[Found, Listen, str]]:
        """Who listens where a server is dialled; with what is assumed if it is one of several.

        A container is reached by its name. A port of another host is taken to be that of the
        only program that listens on it for every address.
        """
        where = server.address
        there = self._at.get(where.path or where.port, [])
        found = [(one, listen, "") for one, listen in there if reaches(where, listen.address)]
        found = found or [(one, listen, "") for one, listen in there if one.name == where.host]
        if found:
            return found
        found = [
            (one, listen, f"{where} is taken to be an instance of `{one.name}`")
            for one, listen in self._instances
            if of_instance(where, listen.address)
        ]
        if found or where.path or where.is_local or where.port is None:
            return found
        anywhere = [
            (one, listen, _elsewhere(server, one)) for one, listen in there if listen.address.is_any
        ]
        return anywhere if len({id(one) for one, _, _ in anywhere}) == 1 else []

    def _processes(self, found: Found) -> int:
        return found.processes.on(self.host.cores) * found.copies

    def _hop(
        self,
        found: Found,
        listen: Listen | None,
        dial: Dial | None,
        links: tuple[Link, ...],
        processes: int | None = None,
        others: Sequence[Found] = (),
    ) -> Hop:
        """The hop, with the values of who starts it, its own, its socket's and its way's.

        Before them stand those of `others` like it, and of each server of the way, that say the
        same: they count no more than once, and whoever changes one changes all.
        """
        values = (
            *self.around.get(found.program, ()),
            *found.values,
            *(listen.values if listen else ()),
            *(dial.values if dial else ()),
        )
        each = [one.values for one in others] + [s.values for s in (dial.servers if dial else ())]
        beside = dict.fromkeys(value for some in each for value in _written(some))
        last = {value.setting: value for value in values if value.place is not None}
        same = [value for value in beside if value.setting in last and value not in values]
        values = (*same, *values)
        return Hop(
            found.name,
            found.program,
            found.version or self.versions.get(found.program, ""),
            self.host.name,
            self._processes(found) if processes is None else processes,
            values,
            links,
        )


def _merged(founds: Sequence[Found]) -> list[Found]:
    """Equal hops of one folder that listen on the same address are copies: they share its port."""
    made: dict[object, Found] = {}
    for found in founds:
        key: object = id(found)
        if found.listens:
            dials = [
                (
                    dial.name,
                    [str(server.address) for server in dial.servers],
                    _settings(dial.values),
                )
                for dial in found.dials
            ]
            folder = posixpath.dirname(found.listens[0].place.file)
            where = [str(listen.address) for listen in found.listens]
            key = repr((folder, found.program, found.name, where, _settings(found.values), dials))
        known = made.get(key)
        copies = found.copies + (0 if known is None else known.copies)
        made[key] = msgspec.structs.replace(known or found, copies=copies)
    return list(made.values())


def _kinds(listens: Sequence[Listen]) -> list[Listen]:
    """The first of each kind of socket: what may be spoken there, and what holds there."""
    kinds: dict[object, Listen] = {}
    for listen in listens:
        kinds.setdefault((listen.protocol, _settings(listen.values)), listen)
    return list(kinds.values())


def _link(dial: Dial, hop: Hop, servers: int, found: Found | None, *, alone: bool = False) -> Link:
    """How a hop is reached: spread over servers as dialled, over processes as they share.

    `alone` is a process that has an address to itself, as each of several that were started does.
    """
    each = alone or hop.processes <= servers or found is None
    kept = next((hop.get(name) for name in KEPT if hop.get(name) is not None), None)
    return Link(
        hop.name,
        dial.protocol,
        dial.streams,
        Spread.ONLY if hop.processes == 1 else dial.spread if each or not found else found.shares,
        dial.idle_s,
        kept or Value("listener_idle_s", None, Source.DEFAULT, hop.program),
        None if alone and hop.processes > 1 else max(1, servers),
        None if each or servers < 2 else dial.spread,
    )


def _differ(one: Found, other: Found) -> bool:
    """Whether two servers are not alike: another program, or another number of the same setting.

    Each has a port of its own.
    """
    told = dict(_settings(one.values))
    return one.program != other.program or any(
        setting != "port" and isinstance(value, int | float) and told.get(setting, value) != value
        for setting, value in _settings(other.values)
    )


def _again(times: int, hop: Hop) -> Hop:
    """The hop with how often a request comes back to it, if it does."""
    if not times:
        return hop
    told = derived(RETURNS, times, "it dials a socket of its own")
    return msgspec.structs.replace(hop, values=(*hop.values, told))


def _over(hosts: int, hop: Hop) -> Hop:
    """The hop with the number of hosts that its processes are on, where they are several."""
    if hosts < 2:
        return hop
    told = assumed(HOSTS, hosts, "each server that is dialled at another address is a host")
    return msgspec.structs.replace(hop, values=(*hop.values, told))


def _lost(found: Found, server: Server, before: Found | None) -> str:
    place = server.place
    why = (
        f"{before.name} stands before it: a circle"
        if before
        else "nothing that was read listens there"
    )
    return f"{found.name} dials {server.address} ({place.file}:{place.line}), and {why}"


def _elsewhere(server: Server, found: Found) -> str:
    return (
        f"{server.address} is taken to be a host of its own with the `{found.name}` that was read"
    )


def _plain(path: Path) -> object:
    """A path without the places of its values, to compare."""
    return tuple(
        (hop.name, hop.processes, hop.program, *_settings(hop.values)) for hop in path.hops
    )


def _written(values: Sequence[Value]) -> list[Value]:
    return [value for value in values if value.place is not None]


def _settings(values: Sequence[Value]) -> tuple[tuple[str, Scalar | None], ...]:
    return tuple((value.setting, value.value) for value in values)
