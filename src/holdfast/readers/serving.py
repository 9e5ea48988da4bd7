"""What was said of a server as a hop: processes, where it listens. Knows no program's options."""

from __future__ import annotations

from collections.abc import Sequence

from holdfast.model.path import Protocol
from holdfast.model.values import Source, Value
from holdfast.readers.address import Address
from holdfast.readers.argv import Settings
from holdfast.readers.contract import Fault, Found, Listen, Processes
from holdfast.readers.said import Said
from holdfast.readers.text import written


def hop(
    program: str,
    name: str,
    settings: Settings,
    listens: Sequence[Listen],
    *,
    processes: Processes | None = None,
) -> Found:
    """The hop of a server's settings: without `workers` it is one process."""
    count = processes or counted(program, settings)
    return Found(name, program, count, tuple(settings.values.values()), tuple(listens))


def counted(program: str, settings: Settings) -> Processes:
    """As many processes as `workers` says."""
    value = settings.default("workers", 1, program)
    most = value.value if isinstance(value.value, int | float) else 1
    unknown = settings.unknown.get("workers")
    if unknown is None:
        return Processes(0, max(1, int(most)), value)
    if unknown.chars == "$(nproc)":
        return Processes(1, 0, written("workers", unknown.chars, unknown.line, unknown.place))
    why = f"`{unknown.chars}` is not known"
    return Processes(
        0, max(1, int(most)), Value("workers", most, Source.ASSUMED, why, unknown.place)
    )


def listen(at: Address, said: Said, program: str, settings: Settings) -> Listen:
    """A socket at an address; one that nobody can know is said to be unknown."""
    if at.text:
        message = f"{program} listens on `{at.text}`, which only the running program knows"
        settings.problems.add(Fault.UNKNOWN_VALUE, message, said.place)
    return Listen(at, Protocol.UNIX if at.path else Protocol.HTTP_1, said.place)


def host_and_port(
    program: str, settings: Settings, start: Said, *, host: str, port: int
) -> tuple[Listen, ...]:
    """Where `uds`, or `host` and `port`, have it listen; `start` stands for what nobody said."""
    lost = settings.unknown.get("port") or settings.unknown.get("host")
    if lost is not None:
        at = (settings.unknown.get(name) or settings.said.get(name) for name in ("host", "port"))
        said = ":".join(each.chars for each in at if each is not None)
        return (Listen(Address(text=said), Protocol.HTTP_1, lost.place),)
    uds = settings.said.get("uds")
    if uds is not None:
        return (listen(Address(path=uds.chars), uds, program, settings),)
    said_host, said_port = settings.said.get("host"), settings.said.get("port")
    name = said_host.chars if said_host else host
    told = settings.values.get("port")
    number = int(told.number) if told is not None and told.value is not None else port
    place = said_port or said_host or start
    return (listen(Address(host=name, port=number), place, program, settings),)


def without(settings: Settings, *names: str) -> None:
    """Leave out what the listening address says already."""
    for name in names:
        settings.values.pop(name, None)


def app(words: Sequence[Said], program: str) -> str:
    """The name of a server's hop: the app that it runs, or the program."""
    named = [word.chars for word in words if ":" in word.chars] or [word.chars for word in words]
    return named[0] if named else program
