"""From files to ways through them: which reader takes which file, and who joins them. No output."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice

import msgspec

from holdfast.checks.gone import DIRECTIVE, GONE
from holdfast.checks.login_limits import LOGIN, UNIT
from holdfast.checks.port_clash import PORT
from holdfast.checks.spelling import CONTAINER
from holdfast.cli.audit_files import Files, read_all
from holdfast.facts.hosts import Packages
from holdfast.model.errors import BadInput
from holdfast.model.finding import Finding
from holdfast.model.path import Hop, Host, Path, Protocol
from holdfast.model.values import Source, Value, assumed
from holdfast.observe.tree import Tree
from holdfast.programs.catalog import completed
from holdfast.readers.contract import Found, Listen, Read
from holdfast.readers.join import MOST_WAYS, UNKNOWN, Way, join

SOFT_NOFILE = 1_024
SOFT_WHY = "systemd's DefaultLimitNOFILE=1024:524288, and a login's soft limit"
CONTAINER_WHY = "what a container has from containerd 2.0 on; 1,048,576 before"
RAISES = frozenset({"haproxy", "kernel", "service", "unknown"})
"""Programs that raise their own limit of descriptors, or have none that is known."""
DROPPED = frozenset(gone.name for gone in GONE)


class Input(msgspec.Struct, frozen=True):
    """What was read: the ways that requests may take, what readers found, and the files.

    `granted` says what was taken for granted to tie it, `unjoined` what could not be tied.
    """

    ways: tuple[Way, ...]
    problems: tuple[Finding, ...]
    files: tuple[str, ...]
    unjoined: tuple[str, ...]
    granted: tuple[str, ...]


def read_input(
    tree: Tree, host: Host, packages: Packages, versions: Mapping[str, Value], nofile: Value
) -> Input:
    """Every way through the files of a tree on one host; raises BadInput where nothing is known.

    `versions` are those of the programs of which no file says one, `packages` what the host's
    distribution has.
    """
    found = ways_of(read_all(tree, packages), host, versions, nofile)
    if not found.ways:
        hint = "name nginx.conf, haproxy.cfg, gunicorn.conf.py, a unit, a Compose file, or a folder"
        left = "; ".join(f"{name}: {why}" for name, why in islice(tree.left.items(), 3))
        raise BadInput("nothing that was read says how requests arrive", place=left, hint=hint)
    return found


def ways_of(read: Files, host: Host, versions: Mapping[str, Value], nofile: Value) -> Input:
    """Every way through what readers said, with defaults for what nobody stated."""
    reads = [_with_rest(each) for each in read.reads]
    ways = join(reads, host, {name: str(told.value) for name, told in versions.items()})
    known = tuple(
        msgspec.structs.replace(way, path=_completed(way, nofile)) for way in _joined(ways)
    )
    problems = dict.fromkeys(problem for each in read.reads for problem in each.problems)
    unjoined = (*read.unjoined, *(said for way in ways for said in way.path.unjoined))
    granted = (*read.granted, *(said for way in ways for said in way.assumed))
    if len(ways) == MOST_WAYS:
        granted = (f"the first {MOST_WAYS} ways through these files stand for all", *granted)
    files = dict.fromkeys(name for each in read.reads for name in each.files)
    return Input(
        known,
        tuple(problems),
        tuple(files),
        tuple(dict.fromkeys(unjoined)),
        tuple(dict.fromkeys(granted)),
    )


def _with_rest(read: Read) -> Read:
    """The read with what laws look at besides settings: ports, dropped directives, logins."""
    unread = [Value(w.text, True, Source.WRITTEN, w.text, w.place) for w in read.unread]
    dropped = tuple(
        msgspec.structs.replace(value, setting=DIRECTIVE + value.setting)
        for value in unread
        if value.setting in DROPPED
    )
    sysctls = () if read.hops else tuple(value for value in unread if "." in value.setting)
    logins = tuple(
        msgspec.structs.replace(value, setting=LOGIN)
        for around in read.around
        if not around.program and around.name.startswith("login")
        for value in around.values
        if value.setting == "nofile"
    )
    return msgspec.structs.replace(
        read,
        hops=tuple(_listening(found, dropped) for found in read.hops),
        host=(*read.host, *sysctls, *logins),
    )


def _listening(found: Found, more: Sequence[Value]) -> Found:
    """The hop with every port; the one that a way comes in by is its last."""
    ports = tuple(value for listen in found.listens for value in _port(listen))
    listens = tuple(
        msgspec.structs.replace(listen, values=(*listen.values, *_port(listen)))
        for listen in found.listens
    )
    values = (*found.values, *ports, *more)
    count = found.processes.value
    if count.place is not None and all(count.setting != value.setting for value in found.values):
        values = (count, *values)
    return msgspec.structs.replace(found, values=values, listens=listens)


def _port(listen: Listen) -> tuple[Value, ...]:
    port = listen.address.port
    if port is None:
        return ()
    return (Value(PORT, port, Source.WRITTEN, str(listen.address), listen.place),)


def _joined(ways: Sequence[Way]) -> Sequence[Way]:
    """The ways, without those to an unknown program whose other hops are all on another way."""
    known = [way for way in ways if all(hop.program != UNKNOWN for hop in way.path.hops)]
    seen = {hop.name for way in known for hop in way.path.hops}
    rest = (way for way in ways if way not in known)
    return [*known, *(way for way in rest if not _read(way) <= seen)]


def _read(way: Way) -> set[str]:
    return {hop.name for hop in way.path.hops if hop.program != UNKNOWN}


def _completed(way: Way, nofile: Value) -> Path:
    """The way's path, with defaults, the assumed limit of descriptors, and whether it is HTTP/2."""
    first = next((hop.name for hop in way.path.hops if hop.program != "kernel"), "")
    login = _login(way.path.hosts[0])

    def whole(hop: Hop) -> Hop:
        more: tuple[Value, ...] = ()
        if hop.get("nofile") is None and hop.program not in RAISES:
            more += (_nofile(hop, nofile, login),)
        if hop.name == first and way.clients is Protocol.HTTP_2 and hop.get("http2") is None:
            more += (Value("http2", True, Source.WRITTEN, way.enters),)
        return completed(msgspec.structs.replace(hop, values=(*hop.values, *more)))

    return msgspec.structs.replace(way.path, hops=tuple(whole(hop) for hop in way.path.hops))


def _nofile(hop: Hop, told: Value, login: Value | None) -> Value:
    """The descriptors of a hop of which no file says a number: as who starts it has them."""
    if hop.get(CONTAINER) is not None and told.source is Source.ASSUMED:
        return msgspec.structs.replace(told, why=CONTAINER_WHY)
    started = hop.get(UNIT) is not None or hop.get(CONTAINER) is not None
    return told if started else login or told


def _login(host: Host) -> Value | None:
    """The descriptors of what somebody starts who has logged in: the fewest that a login gets."""
    found = [value for value in host.values if value.setting == LOGIN]
    why = "limits.conf, and no unit that starts it: who has logged in does"
    least = min(found, key=lambda value: value.number, default=None)
    return None if least is None or least.value is None else assumed("nofile", least.value, why)
