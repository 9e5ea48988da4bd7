"""What a reader is: a name and text in; hops with exact places, and what cannot be read, out.

One file a format: its rows, `recognises` and `read`. What can be said of a part of a file is a
finding; `BadInput` is for what is no such file at all. No reader opens a file.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import Enum

import msgspec

from holdfast.model.limit import Finding, Severity
from holdfast.model.path import Protocol, Spread
from holdfast.model.units import plural
from holdfast.model.values import Place, Scalar, Value
from holdfast.readers.address import Address
from holdfast.readers.text import Files, Text, Word, written


class Fault(Enum):
    """What a reader may have to say: a stable code, how bad it is, and what it means."""

    SYNTAX = ("HF001", Severity.ERROR, "cannot be read")
    ARGUMENT = ("HF002", Severity.ERROR, "an argument that is not understood, or too many or few")
    CONTEXT = ("HF003", Severity.ERROR, "a directive where it may not stand")
    NOT_FOUND = ("HF004", Severity.NOTE, "names a file that was not given")
    OUTSIDE = ("HF005", Severity.WARNING, "names a file outside of what was given: not read")
    CIRCLE = ("HF006", Severity.ERROR, "includes itself")
    UNKNOWN_VALUE = ("HF007", Severity.NOTE, "a value that only the running program knows")
    REPEATED = ("HF008", Severity.WARNING, "set again: one of the two has no effect")
    NO_TARGET = ("HF009", Severity.ERROR, "names what is not defined")
    UNREAD = ("HF010", Severity.NOTE, "understood by nobody here: kept, and not counted")

    @property
    def code(self) -> str:
        """The stable code."""
        return self.value[0]

    @property
    def severity(self) -> Severity:
        """How bad it is."""
        return self.value[1]


class Listen(msgspec.Struct, frozen=True):
    """A socket that a hop listens on; `values` hold for those who come in here."""

    address: Address
    protocol: Protocol
    place: Place
    values: tuple[Value, ...] = ()


class Server(msgspec.Struct, frozen=True):
    """One address that a hop dials; a `backup` is asked when no other answers.

    `values` are what is said of this server alone; those of the `Dial` sum up all of its servers.
    """

    address: Address
    place: Place
    backup: bool = False
    values: tuple[Value, ...] = ()


class Dial(msgspec.Struct, frozen=True):
    """One way out of a hop: the servers that share it, and the values that hold on this way.

    `name` is how the program calls it, `way` says who takes it ("server a.example, location /"),
    `listens` names the listening addresses that lead here. `protocol` is what is spoken over it
    (`TCP` or `UNIX` for HTTP/1.1, as in `Link`), `idle_s` how long an idle connection is kept.
    """

    name: str
    way: str
    servers: tuple[Server, ...]
    protocol: Protocol
    spread: Spread
    idle_s: Value
    listens: tuple[Address, ...] = ()
    values: tuple[Value, ...] = ()
    streams: float = 1.0


class Processes(msgspec.Struct, frozen=True):
    """How many processes: `a_core` for each core, and `more`; `value` says where that is written.

    "auto" is (1, 0); `cpu_count() * 2 + 1` is (2, 1); a plain 4 is (0, 4).
    """

    a_core: float
    more: float
    value: Value

    def on(self, cores: float) -> int:
        """The number of processes on so many cores; at least one."""
        return max(1, int(self.a_core * cores + self.more))


class Found(msgspec.Struct, frozen=True):
    """A hop as a file describes it: join makes it a `Hop` when host and version are known.

    `name` tells it from others of its program, and is a host's name where containers run it.
    `copies` are equal ones (replicas), `shares` is how processes share one listening socket.
    """

    name: str
    program: str
    processes: Processes
    values: tuple[Value, ...] = ()
    listens: tuple[Listen, ...] = ()
    dials: tuple[Dial, ...] = ()
    version: str = ""
    copies: int = 1
    shares: Spread = Spread.RACE


class Around(msgspec.Struct, frozen=True):
    """What holds for a `program` because of who starts it, such as `nofile` of a systemd unit.

    `version` is that of a container's image, "" where nothing says it.
    """

    name: str
    program: str
    values: tuple[Value, ...]
    version: str = ""


class Read(msgspec.Struct, frozen=True):
    """What a text says: hops, values of the host, values around programs, and problems.

    `unread` are directives that have no row: kept and named, and nothing is made of them. `files`
    are the names of all files that were read for it, its own first.
    """

    hops: tuple[Found, ...] = ()
    host: tuple[Value, ...] = ()
    around: tuple[Around, ...] = ()
    problems: tuple[Finding, ...] = ()
    unread: tuple[Word, ...] = ()
    files: tuple[str, ...] = ()


Amount = Callable[[str], Scalar]
"""Reads an argument as its program does; raises ValueError with what it should be."""


class Row(msgspec.Struct, frozen=True):
    """A directive is a row: its name, where it may stand, its arguments, where it lands.

    `least` and `most` arguments (None: any number); `lands` is the setting of `programs/`, whose
    value is `amount` of argument `which`, or of all of them together (None).
    """

    name: str
    contexts: frozenset[str]
    lands: str
    amount: Amount
    least: int = 1
    most: int | None = 1
    which: int | None = 0


class Reader(msgspec.Struct, frozen=True):
    """One format: `recognises` looks at name and text and is quick; `read` takes the text apart.

    `read` raises BadInput only for what is no such file at all, never for a part of one.
    """

    name: str
    recognises: Callable[[Text], bool]
    read: Callable[[Text, Files], Read]
    rows: tuple[Row, ...] = ()


def joined(words: Sequence[Word]) -> Word:
    """Several words as one, a space between them, from the first to the last."""
    first, last = words[0].place, words[-1].place
    place = Place(first.file, first.line, first.start, last.end)
    return Word(" ".join(word.text for word in words), place)


class Problems:
    """Gathers what is wrong while a text is read."""

    def __init__(self) -> None:
        self.found: list[Finding] = []

    def add(self, fault: Fault, message: str, place: Place, hint: str = "") -> None:
        """One more: what is wrong, where, and what to do about it."""
        self.found.append(Finding(fault.code, fault.severity, (place,), message, hint))

    def lands(self, row: Row, head: Word, words: Sequence[Word]) -> Value | None:
        """The value of a directive by its row, or None and a problem."""
        said = " ".join(word.text for word in (head, *words))
        if len(words) < row.least or (row.most is not None and len(words) > row.most):
            most = "or more" if row.most is None else f"to {row.most}"
            wanted = f"{row.least} {most} arguments"
            if row.least == row.most:
                wanted = plural(row.least, "argument")
            message = f"`{head.text}` takes {wanted}, not {len(words)}"
            self.add(Fault.ARGUMENT, message, head.place)
            return None
        word = words[row.which] if row.which is not None else joined(words)
        try:
            return written(row.lands, row.amount(word.text), said, word.place)
        except ValueError as wrong:
            fault = Fault.UNKNOWN_VALUE if "$" in word.text else Fault.ARGUMENT
            self.add(fault, f"`{head.text} {word.text}`: {wrong}", word.place)
            return None
