"""What a reader made of a text, as lines that people read and tests compare: one form for all."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from holdfast.model.limit import Finding
from holdfast.model.values import Place, Value
from holdfast.readers.contract import Dial, Found, Listen, Read
from holdfast.readers.join import KERNEL, Way
from holdfast.readers.text import Text

Where = Callable[[Place | None], str]


def shown(read: Read, files: Mapping[str, str]) -> str:
    """Everything in a `Read`, each place with its line and the very text that stands there."""
    texts = {name: Text(name, said) for name, said in files.items()}

    def where(place: Place | None) -> str:
        if place is None:
            return ""
        return f"  @ {place.file}:{place.line} `{texts[place.file].at(place)}`"

    lines = [line for hop in read.hops for line in _hop(hop, where)]
    if read.host:
        lines += ["host", *_values(read.host, where)]
    for around in read.around:
        who = f"{around.program} {around.version}".rstrip()
        lines += [f"around {who} ({around.name})", *_values(around.values, where)]
    lines += [line for problem in read.problems for line in _problem(problem, where)]
    lines += [f"unread {word.text}{where(word.place)}" for word in read.unread]
    return "\n".join(lines) + "\n"


def shown_way(way: Way) -> str:
    """A joined way: its hops from the client on, how each reaches the next, what is not known."""
    lines = [f"way {way.name}", f"  clients come to {way.enters}, and speak {way.clients.value}"]
    for hop in way.path.hops:
        if hop.program == KERNEL:
            continue
        lines.append(f"  {hop.name}: {hop.program} {hop.version}".rstrip() + f" x {hop.processes}")
        counts = (value for value in hop.values if hop.get(value.setting) is value)
        lines += [f"    {value.setting} = {value.value}" for value in counts]
        lines += [
            f"    -> {link.to} over {link.protocol.value}, {_servers(link.servers)}, "
            f"{link.streams:g} at once, spread {link.spread.value}, "
            f"idle {link.dialler_idle_s.value} before {link.listener_idle_s.value}"
            for link in hop.links
        ]
    lines += [f"  assumed: {said}" for said in way.assumed]
    lines += [f"  unjoined: {said}" for said in way.path.unjoined]
    return "\n".join(lines) + "\n"


def _servers(count: int | None) -> str:
    return "an address for each" if count is None else f"{count} servers"


def _hop(hop: Found, where: Where) -> Iterator[str]:
    count = hop.processes
    yield f"hop {hop.name}: {hop.program} {hop.version}".rstrip()
    yield f"  processes {count.a_core:g} a core + {count.more:g}{_source(count.value, where)}"
    if hop.copies != 1:
        yield f"  copies {hop.copies}"
    yield from _values(hop.values, where)
    for listen in hop.listens:
        yield from _listen(listen, where)
    for dial in hop.dials:
        yield from _dial(dial, where)


def _listen(listen: Listen, where: Where) -> Iterator[str]:
    yield f"  listens {listen.address}, {listen.protocol.value}{where(listen.place)}"
    yield from _values(listen.values, where, "    ")


def _dial(dial: Dial, where: Where) -> Iterator[str]:
    yield f"  dials {dial.name}: {dial.way}"
    yield f"    from {', '.join(str(address) for address in dial.listens) or 'nowhere'}"
    yield f"    over {dial.protocol.value}, {dial.streams:g} at once, spread {dial.spread.value}"
    for server in dial.servers:
        backup = " backup" if server.backup else ""
        yield f"    to {server.address}{backup}{where(server.place)}"
        yield from _values(server.values, where, "      ")
    yield f"    idle {dial.idle_s.value}{_source(dial.idle_s, where)}"
    yield from _values(dial.values, where, "    ")


def _values(values: Iterable[Value], where: Where, indent: str = "  ") -> Iterator[str]:
    for value in values:
        yield f"{indent}{value.setting} = {value.value}{_source(value, where)}"


def _source(value: Value, where: Where) -> str:
    if value.source.value == "written":
        return where(value.place)
    return f"  ({value.source.value}: {value.why}){where(value.place)}"


def _problem(problem: Finding, where: Where) -> Iterator[str]:
    places = "".join(where(place) for place in problem.places)
    yield f"{problem.severity.value}[{problem.code}] {problem.message}{places}"
    if problem.hint:
        yield f"  hint: {problem.hint}"
