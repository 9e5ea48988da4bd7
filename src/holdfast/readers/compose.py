"""Compose files: the servers that services start, their limits, and where they are published.

A service is a host name to the others: who listens on any address in it listens there, too.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterator

import msgspec

from holdfast.model.errors import BadInput
from holdfast.model.path import Protocol
from holdfast.model.units import parse_bytes
from holdfast.model.values import Scalar, Value
from holdfast.readers import sysctl
from holdfast.readers.address import Address
from holdfast.readers.commands import EDGES, Server, contained, gathered, in_words, under
from holdfast.readers.contract import Around, Fault, Listen, Problems, Read, Reader
from holdfast.readers.dockerfile import Image, image, started
from holdfast.readers.said import Said
from holdfast.readers.shell import expanded, words
from holdfast.readers.systemd import variables
from holdfast.readers.text import Files, Text, inside, written
from holdfast.readers.yamlnodes import Node, Yaml, compose

_PORT = re.compile(
    r"(?:(?P<host>[\d.]+|\[[0-9a-fA-F:]*\]):)?(?P<out>\d+):(?P<into>\d+)(?:/(?P<kind>tcp|udp))?"
)
DEEPEST = 20
"""So many services may extend one another."""


def whole(text: str) -> Scalar:
    """A whole number; -1 is no limit."""
    try:
        number = int(text)
    except ValueError:
        raise ValueError("is no whole number") from None
    return float("inf") if number == -1 else number


def size(text: str) -> Scalar:
    """A size in bytes as Compose writes it: 512m, 2gb, to the base 1024."""
    try:
        return parse_bytes(re.sub(r"(?i)(?<=[kmg])b$", "", text))
    except BadInput as wrong:
        raise ValueError("is no size such as `512m`") from wrong


def cores(text: str) -> Scalar:
    """A number of processors."""
    try:
        return float(text)
    except ValueError:
        raise ValueError("is no number of processors") from None


_VERSION = re.compile(r"\d+(?:\.\d+)+")
ROWS: tuple[tuple[tuple[str, ...], str, Callable[[str], Scalar]], ...] = (
    (("mem_limit",), "cgroup_memory_max", size),
    (("deploy", "resources", "limits", "memory"), "cgroup_memory_max", size),
    (("cpus",), "cpu_quota_cores", cores),
    (("deploy", "resources", "limits", "cpus"), "cpu_quota_cores", cores),
    (("pids_limit",), "pids_max", whole),
    (("deploy", "resources", "limits", "pids"), "pids_max", whole),
)
"""Keys of a service: where each lands (as `observe` calls it) and how it is read."""


class _Service:
    """One service: the mappings that make it, those that it extends first."""

    def __init__(self, reading: _Compose, name: str, layers: list[tuple[Yaml, Node]]) -> None:
        self.reading, self.name, self.layers = reading, name, layers
        self.env = self._environment()
        self.values: dict[str, Value] = {}
        self._limits()

    def each(self, *keys: str) -> Iterator[tuple[Yaml, Node]]:
        """What stands under a key, in every layer that has it."""
        for tree, node in self.layers:
            found = tree.get(node, *keys)
            if found is not None:
                yield tree, found

    def last(self, *keys: str) -> tuple[Yaml, Node] | None:
        """What stands under a key in the last layer that has it."""
        for tree, node in reversed(self.layers):
            found = tree.get(node, *keys)
            if found is not None:
                return tree, found
        return None

    def scalar(self, *keys: str) -> Said | None:
        """A scalar with the variables of the project put in."""
        found = self.last(*keys)
        said = found[0].said(found[1]) if found else None
        return None if said is None else expanded(said, self.reading.env)

    def _environment(self) -> dict[str, Said]:
        env: dict[str, Said] = {}
        for tree, node in self.each("env_file"):
            one = tree.said(node)
            for said in tree.items(node) if one is None else [one]:
                env |= self.reading.variables(said)
        for tree, node in self.each("environment"):
            for said in tree.items(node):
                name, equals, _ = said.chars.partition("=")
                if equals:
                    env[name] = expanded(said.cut(len(name) + 1), self.reading.env)
            for name, (_, value) in tree.pairs(node).items():
                found = tree.said(value)
                if found is not None:
                    env[name] = expanded(found, self.reading.env)
        return env

    def _limits(self) -> None:
        for keys, lands, amount in ROWS:
            said = self.scalar(*keys)
            if said is not None:
                self._land(keys[-1], lands, amount, said)
        for keys, settings in (
            (("ulimits", "nofile"), ("nofile", "nofile_hard")),
            (("ulimits", "nofile", "soft"), ("nofile",)),
            (("ulimits", "nofile", "hard"), ("nofile_hard",)),
            (("ulimits", "nproc"), ("nproc",)),
        ):
            said = self.scalar(*keys)
            for lands in settings if said is not None else ():
                self._land(".".join(keys), lands, whole, said)

    def _land(
        self, key: str, lands: str, amount: Callable[[str], Scalar], said: Said | None
    ) -> None:
        if said is None:
            return
        try:
            number = amount(said.chars)
        except (ValueError, OverflowError) as wrong:
            fault = Fault.UNKNOWN_VALUE if "$" in said.chars else Fault.ARGUMENT
            self.reading.problems.add(fault, f"`{key}: {said.chars}` {wrong}", said.place)
            return
        self.values[lands] = written(lands, number, said.line, said.place)

    def sysctls(self) -> None:
        """The sysctls of the container's own namespace, as the host has its."""
        for tree, node in self.each("sysctls"):
            pairs = [(said.chars.partition("=")[0], said) for said in tree.items(node)]
            found = {name: said.cut(len(name) + 1) for name, said in pairs if "=" in said.chars}
            for name, (_, value) in tree.pairs(node).items():
                said = tree.said(value)
                if said is not None:
                    found[name] = said
            told: list[Value] = []
            for name, said in found.items():
                sysctl.land(name.strip(), said.stripped(), told, self.reading.problems)
            self.values |= {value.setting: value for value in told}

    def copies(self) -> int:
        """How many of it are asked for; one that is unknown or absurd counts as one."""
        said = self.scalar("deploy", "replicas") or self.scalar("scale")
        return max(1, int(said.chars)) if said and re.fullmatch(r"\d{1,9}", said.chars) else 1

    def servers(self) -> list[Server]:
        """What it starts: its command and entrypoint, or those of its image's Dockerfile."""
        built = self.reading.built(self)
        entrypoint, command = self.last("entrypoint"), self.last("command")
        env = {**built.env, **self.env}
        files, problems = self.reading.files, self.reading.problems
        if entrypoint is None and command is None:
            return started(built.entrypoint, built.command, env, files, problems)
        first = self._words(entrypoint) if entrypoint else []
        rest = self._words(command) if command else []
        if entrypoint is None and built.entrypoint is not None:
            found = in_words(rest, env, files, problems)
            return found or started(built.entrypoint, None, env, files, problems)
        return in_words([*first, *rest], env, files, problems)

    def _words(self, found: tuple[Yaml, Node]) -> list[Said]:
        tree, node = found
        said = tree.said(node)
        if said is not None:
            return words(expanded(said, self.reading.env), self.env)
        return [expanded(each, self.reading.env) for each in tree.items(node)]

    def published(self) -> dict[int, list[Listen]]:
        """Where each of its ports is reached from the host."""
        found: dict[int, list[Listen]] = {}
        for tree, node in self.each("ports"):
            for said in tree.items(node):
                short = _PORT.fullmatch(expanded(said, self.reading.env).chars)
                if short and short["kind"] != "udp":
                    host = (short["host"] or "*").strip("[]")
                    at = Address(host=host, port=int(short["out"]))
                    found.setdefault(int(short["into"]), []).append(
                        Listen(at, Protocol.HTTP_1, said.place)
                    )
        return found


class _Compose:
    """One Compose file while it is read."""

    def __init__(self, tree: Yaml, files: Files) -> None:
        self.tree, self.files, self.problems = tree, files, Problems()
        self.names = [tree.text.name]
        beside = inside(".env", tree.text.name, files.root)
        data = files.read(beside) if beside else None
        self.env = variables(Text(beside, data)) if beside and data is not None else {}
        self._trees: dict[str, Yaml | None] = {}

    def variables(self, said: Said) -> dict[str, Said]:
        """The variables of a file that a service names."""
        text = self._given(said.chars, said.text.name)
        if text is None:
            message = f"variables stand in `{said.chars}`, which was not given"
            self.problems.add(Fault.NOT_FOUND, message, said.place)
            return {}
        return variables(text)

    def _given(self, name: str, beside: str) -> Text | None:
        where = inside(name, beside, self.files.root)
        data = self.files.read(where) if where else None
        if where is None or data is None:
            return None
        if where not in self.names:
            self.names.append(where)
        return Text(where, data)

    def built(self, service: _Service) -> Image:
        """What the service's own Dockerfile leaves, where it was given."""
        context = service.scalar("build") or service.scalar("build", "context")
        if context is None:
            return Image({})
        file = service.scalar("build", "dockerfile")
        name = file.chars if file is not None else "Dockerfile"
        text = self._given(posixpath.join(context.chars, name), context.text.name)
        return image(text, self.problems) if text is not None else Image({})

    def layers(self, tree: Yaml, node: Node, depth: int = 0) -> list[tuple[Yaml, Node]]:
        """A service's mapping, after those that it extends."""
        extends = tree.get(node, "extends")
        if extends is None:
            return [(tree, node)]
        name = tree.said(extends) or tree.said(tree.get(extends, "service"))
        file = tree.said(tree.get(extends, "file"))
        other = tree if file is None else self._other(file)
        base = other.get(other.root, "services", name.chars) if other and name else None
        if base is None or other is None or depth >= DEEPEST:
            if name is not None:
                circle = depth >= DEEPEST
                fault = Fault.CIRCLE if circle else Fault.NO_TARGET
                what = "extends itself" if circle else "is extended and not defined"
                self.problems.add(fault, f"service `{name.chars}` {what}", name.place)
            return [(tree, node)]
        return [*self.layers(other, base, depth + 1), (tree, node)]

    def _other(self, file: Said) -> Yaml | None:
        if file.chars not in self._trees:
            text = self._given(file.chars, file.text.name)
            self._trees[file.chars] = None if text is None else _quiet(text)
        return self._trees[file.chars]

    def read(self) -> Read:
        """All services: hops for servers of apps, values around edges."""
        servers: list[Server] = []
        around: list[Around] = []
        for name, (_, node) in self.tree.pairs(self.tree.get(self.tree.root, "services")).items():
            service = _Service(self, name, self.layers(self.tree, node))
            service.sysctls()
            values = tuple(service.values.values())
            values += (contained("compose"),)
            found = [under(name, server, values) for server in service.servers()]
            servers += [_placed(server, service) for server in found]
            image, version = _edge(service)
            edge = next((one.program for one in found if one.found is None), image)
            if edge:
                around.append(Around(name, edge, values, version))
        return gathered(servers, self.problems, self.names, around=tuple(around))


def _quiet(text: Text) -> Yaml | None:
    try:
        return compose(text)
    except BadInput:
        return None


def _edge(service: _Service) -> tuple[str, str]:
    """The edge that a service's image is, with the version of its tag; or nothing."""
    said = service.scalar("image")
    name, _, tag = posixpath.basename(said.chars if said is not None else "").partition(":")
    version = _VERSION.match(tag)
    return (name, version[0] if version else "") if name in EDGES else ("", "")


def _placed(server: Server, service: _Service) -> Server:
    """The server where the others and the host find it, as often as it is asked for."""
    if server.found is None:
        return server
    listens: list[Listen] = []
    published = service.published()
    for each in server.found.listens:
        at = each.address
        inner = Address(host=service.name, port=at.port) if at.is_any else at
        listens.append(msgspec.structs.replace(each, address=inner))
        if at.is_any and at.port is not None:
            listens += published.get(at.port, [])
    found = msgspec.structs.replace(server.found, listens=tuple(listens), copies=service.copies())
    return msgspec.structs.replace(server, found=found)


def read(text: Text, files: Files) -> Read:
    """A Compose file. Raises BadInput where it is no YAML."""
    return _Compose(compose(text), files).read()


def recognises(text: Text) -> bool:
    """A YAML file that is called so, or has services with an image, a build or a command."""
    base = posixpath.basename(text.name)
    if not base.endswith((".yml", ".yaml")) and base != "compose":
        return False
    if re.match(r"(?:docker-)?compose", base):
        return True
    has = re.search(r"^services:[ \t\r]*$", text.said, re.MULTILINE)
    starts = re.search(r"^[ \t]+(?:image|build|command):", text.said, re.MULTILINE)
    return has is not None and starts is not None


READER = Reader("compose", recognises, read)
