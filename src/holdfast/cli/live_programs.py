"""Which program a process is, who of its family serves, and what its words and files say.

Reads what the process itself was given. Changes and judges nothing.
"""

from __future__ import annotations

import glob
import os
import posixpath
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import TypeVar, cast

import msgspec

from holdfast.model.errors import BadInput
from holdfast.model.path import Spread
from holdfast.model.values import Place, Source, Value
from holdfast.observe.builds import read_nginx_paths
from holdfast.observe.named import Named
from holdfast.observe.processes import Process, Processes, read_folder, read_variables
from holdfast.readers import haproxy, nginx
from holdfast.readers.address import Address
from holdfast.readers.commands import EDGES, gathered, in_words
from holdfast.readers.contract import Found, Problems, Read
from holdfast.readers.contract import Processes as Count
from holdfast.readers.said import Said
from holdfast.readers.text import Given, Text

SUPERVISOR, SLOT = "holdfast", "holdfast.worker"
"""`holdfast up`, and what it starts for each slot, which is uvicorn inside."""
ENGINE = "uvicorn"
NGINX_TITLE, NGINX_WORKER = "nginx: ", "nginx: worker process"
LEAVING = "is shutting down"
SPAWNED = "from multiprocessing"
"""How the words of a process begin that Python's multiprocessing started, after `-c`."""

Thing = TypeVar("Thing")


class Running(msgspec.Struct, frozen=True):
    """A program that runs: the process that was started, and those that accept."""

    program: str
    first: Process
    serving: tuple[Process, ...]

    @property
    def pid(self) -> int:
        """Of the process that was started."""
        return self.first.pid

    @property
    def is_edge(self) -> bool:
        """Whether it passes requests on."""
        return self.program in EDGES


class Machine:
    """What runs here and what it listens on, looked at once."""

    def __init__(self, processes: Processes, listening: Sequence[int]) -> None:
        self.processes, self.listening = processes, frozenset(listening)
        self._programs: dict[int, str] = {}

    def program(self, process: Process) -> str:
        """The program that a process is, by its words; "" for one that is not known."""
        if process.pid not in self._programs:
            self._programs[process.pid] = _program(process)
        return self._programs[process.pid]

    def accepts(self, process: Process) -> frozenset[int]:
        """The listening sockets that a process holds."""
        return self.processes.sockets(process.pid) & self.listening

    def running(self, process: Process) -> Running | None:
        """The whole of what a process is part of; None where it is no program that is known."""
        first = self._first(process)
        program = self.program(first)
        if not program:
            return None
        while program not in (SUPERVISOR, SLOT) and not self.accepts(first):
            same = [c for c in self._children(first) if self.program(c) == program]
            if len(same) != 1:
                break
            first = same[0]
        return Running(program, first, self._serving(first, program))

    def _first(self, process: Process) -> Process:
        """Up to the first of its family: workers have its words, or multiprocessing's."""
        at = process
        while (parent := self.processes.get(at.parent)) is not None:
            spawned = any(a == "-c" and b.startswith(SPAWNED) for a, b in pairwise(at.argv))
            same = self.program(at) not in ("", SLOT) and self.program(parent) == self.program(at)
            if not spawned and not same:
                return at
            at = parent
        return at

    def _serving(self, first: Process, program: str) -> tuple[Process, ...]:
        """Its children that accept, or itself where none does."""
        if program in (SUPERVISOR, SLOT):
            return (first,)
        found = [child for child in self._children(first) if self.accepts(child)]
        if program == "nginx":
            workers = [c for c in found if c.argv[0].startswith(NGINX_WORKER)]
            found = [c for c in workers if LEAVING not in c.argv[0]]
        return tuple(found) or (first,)

    def _children(self, process: Process) -> tuple[Process, ...]:
        return self.processes.children(process.pid)


def _program(process: Process) -> str:
    words = process.argv
    if not words:
        return ""
    if words[0].startswith(NGINX_TITLE):
        return "nginx"
    if words[0].startswith("gunicorn: "):
        return "gunicorn"
    if SLOT in words:
        return SLOT
    if "up" in words and any(posixpath.basename(word) == SUPERVISOR for word in words[:3]):
        return SUPERVISOR
    text = Text("command", " ".join(words))
    found = in_words(_said(text, words), {}, Given(), Problems())
    return found[0].program if found else ""


def _said(text: Text, words: Sequence[str]) -> list[Said]:
    """Each word where it stands in a text of all of them, one blank between two."""
    said, at = [], 0
    for word in words:
        said.append(Said.of(text, at, at + len(word)))
        at += len(word) + 1
    return said


def read_running(running: Running, named: Named) -> Read:
    """What a program was told by its words, its variables and its files, with absolute places.

    Raises BadInput where it does not say which file it reads, or that one cannot be read.
    """
    folder = read_folder(running.pid)
    if running.program == SLOT:
        return Read(hops=(_slot(),), files=(f"/proc/{running.pid}/cmdline",))
    read = _edge(running, folder, named) if running.is_edge else _server(running, named)
    return placed(read, named.real, folder)


def _slot() -> Found:
    """A worker of `holdfast up`: one uvicorn, told by its supervisor over a pipe."""
    one = Count(0, 1, Value("workers", 1, Source.DEFAULT, "a worker of `holdfast up`"))
    return Found("workers", ENGINE, one, shares=Spread.HASH)


def _server(running: Running, named: Named) -> Read:
    pid, words = running.pid, running.first.argv
    if len(words) == 1 and words[0].startswith("gunicorn: "):
        hint = "audit its files: `holdfast audit gunicorn.conf.py`, or uninstall setproctitle"
        place = f"/proc/{pid}/cmdline"
        raise BadInput("gunicorn has put a title over its command line", place=place, hint=hint)
    name, problems = f"proc/{pid}/cmdline", Problems()
    said = _said(Text(name, " ".join(words)), words)
    env = {
        key: Said.of(Text(f"proc/{pid}/environ", value), 0, len(value))
        for key, value in read_variables(pid).items()
    }
    return gathered(in_words(said, env, named, problems), problems, (name,))


def _edge(running: Running, folder: str, named: Named) -> Read:
    reader = nginx.READER if running.program == "nginx" else haproxy.READER
    find = _nginx_files if running.program == "nginx" else _haproxy_files
    reads = []
    for path in find(running, folder, named):
        data = named.read(path.removeprefix("/"))
        if data is None:
            why = named.left.get(path.removeprefix("/"), "there is no such file")
            hint = "name it by its whole path where you start it, or run as who may read it"
            raise BadInput(f"its configuration cannot be read: {why}", place=path, hint=hint)
        reads.append(reader.read(Text(path.removeprefix("/"), data), named))
    if not reads:
        hint = "start it with `-f FILE`"
        place = f"process {running.pid} (haproxy)"
        raise BadInput("its command line names no configuration", place=place, hint=hint)
    return Read(
        hops=tuple(hop for read in reads for hop in read.hops),
        problems=tuple(problem for read in reads for problem in read.problems),
        unread=tuple(word for read in reads for word in read.unread),
        files=tuple(name for read in reads for name in read.files),
    )


def _nginx_files(running: Running, folder: str, _named: Named) -> tuple[str, ...]:
    """Its configuration: `-c` below `-p`, as far as said; else what was compiled in."""
    words = " ".join(running.first.argv).split()
    prefix, path = read_nginx_paths(running.first)
    told = _options(words, {"-p", "-c", "-e", "-g"})
    if "-p" in told:
        prefix = os.path.join(folder, told["-p"][-1])
    return (os.path.realpath(os.path.join(prefix, told["-c"][-1] if "-c" in told else path)),)


def _haproxy_files(running: Running, folder: str, named: Named) -> tuple[str, ...]:
    """What `-f` names, files and folders of them, from where `-C` says."""
    told = _options(running.first.argv, {"-f", "-C", "-p", "-x", "-n", "-m", "-L", "-S"})
    base = os.path.join(folder, *told.get("-C", ()))
    found: list[str] = []
    for name in told.get("-f", ()):
        path = os.path.realpath(os.path.join(base, name))
        inside = named.glob(f"{glob.escape(path).removeprefix('/')}/*.cfg")
        found += [f"/{one}" for one in inside] if os.path.isdir(path) else [path]
    return tuple(found)


def _options(words: Sequence[str], taking: set[str]) -> Mapping[str, list[str]]:
    """The arguments of options that take one word."""
    found: dict[str, list[str]] = {}
    for option, argument in pairwise(words):
        if option in taking:
            found.setdefault(option, []).append(argument)
    return found


def placed(thing: Thing, real: Callable[[str], str], folder: str) -> Thing:
    """A record with every place in a real file, and every unix address from the root on.

    Addresses are those of sockets, whatever links lead to them from `folder`.
    """

    def made(each: object) -> object:
        if isinstance(each, Place):
            return msgspec.structs.replace(each, file=real(each.file))
        if isinstance(each, Address):
            whole = os.path.realpath(os.path.join(folder, each.path)) if each.path else ""
            return msgspec.structs.replace(each, path=whole)
        if isinstance(each, tuple):
            return tuple(made(one) for one in each)
        if isinstance(each, msgspec.Struct):
            fields = {name: made(getattr(each, name)) for name in each.__struct_fields__}
            return type(each)(**fields)
        return each

    files = {"files": tuple(real(name) for name in thing.files)} if isinstance(thing, Read) else {}
    done = cast(Thing, made(thing))
    return msgspec.structs.replace(done, **files) if files else done  # type: ignore[type-var]
