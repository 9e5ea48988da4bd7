"""Finds the servers that a command starts, and hands their words to the right reader. Runs nothing.

Looks through `exec`, `env X=1`, `sh -c '...'`, `python -m`, `poetry run` and the like.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping, Sequence

import msgspec

from holdfast.model.values import Place, Source, Value
from holdfast.readers import granian, gunicorn, hypercorn, uvicorn
from holdfast.readers.contract import Around, Found, Problems, Read, Reader
from holdfast.readers.said import Said
from holdfast.readers.shell import assigned, commands
from holdfast.readers.text import Files, Text, Word

SERVERS = ("gunicorn", "uvicorn", "hypercorn", "granian")
EDGES = ("nginx", "haproxy")
DEEPEST = 8
"""So many `sh -c` within one another are looked through."""

_PASSING = {
    "env": frozenset({"-u", "-C", "--unset", "--chdir"}),
    "exec": frozenset({"-a"}),
    "command": frozenset(),
    "nohup": frozenset(),
    "setsid": frozenset(),
    "time": frozenset(),
    "tini": frozenset({"-e", "-p"}),
    "dumb-init": frozenset({"-r", "--rewrite"}),
    "nice": frozenset({"-n"}),
    "ionice": frozenset({"-c", "-n"}),
    "sudo": frozenset({"-u", "-g"}),
    "gosu": frozenset({"0"}),
    "su-exec": frozenset({"0"}),
    "chpst": frozenset({"-u", "-o", "-n"}),
    "setpriv": frozenset(),
    "taskset": frozenset({"0"}),
    "prlimit": frozenset(),
    "timeout": frozenset({"0", "-k", "-s"}),
    "numactl": frozenset(),
    "opentelemetry-instrument": frozenset(),
    "ddtrace-run": frozenset(),
    "newrelic-admin": frozenset(),
    "authbind": frozenset(),
    "xvfb-run": frozenset(),
}
"""Programs that start another: which of their options take an argument; "0": they take a word."""
_RUNNERS = {
    "poetry": "run",
    "pipenv": "run",
    "uv": "run",
    "pdm": "run",
    "rye": "run",
    "hatch": "run",
    "newrelic-admin": "run-program",
}
_SHELLS = frozenset({"sh", "bash", "dash", "ash", "zsh"})
_PYTHON = re.compile(r"python(?:\d(?:\.\d+)*)?$")


_RUNS = re.compile(rf"(?:^|[\s/;&|('\"])(?:{'|'.join((*SERVERS, *EDGES))})(?=\s)")


class Server(msgspec.Struct, frozen=True):
    """What one command starts: its hop where it is a server of an app, else only its program."""

    program: str
    place: Place
    found: Found | None = None
    files: tuple[str, ...] = ()
    unread: tuple[Word, ...] = ()


def in_shell(
    said: Said, env: Mapping[str, Said], files: Files, problems: Problems, depth: int = 0
) -> list[Server]:
    """The servers that a shell's text starts, in its order, with the variables that it sets."""
    found, known = commands(said, env)
    return [server for words in found for server in in_words(words, known, files, problems, depth)]


def in_words(
    words: Sequence[Said], env: Mapping[str, Said], files: Files, problems: Problems, depth: int = 0
) -> list[Server]:
    """The servers that one command starts: `words` is what a kernel would get as its arguments."""
    known, at = dict(env), 0
    while at < len(words) and depth <= DEEPEST:
        word = words[at]
        name = posixpath.basename(word.chars.lstrip("-@:+!"))
        pair = assigned(word)
        if pair is not None:
            known[pair[0]] = pair[1]
            at += 1
        elif name in _SHELLS:
            script = _script(words, at)
            return [] if script is None else in_shell(script, known, files, problems, depth + 1)
        elif at + 1 < len(words) and words[at + 1].chars == _RUNNERS.get(name):
            at = _after_options(words, at + 1, frozenset())
        elif name in _PASSING:
            at = _after_options(words, at, _PASSING[name])
        elif _PYTHON.match(name):
            at = _module(words, at)
        elif name.endswith(".sh") or "entrypoint" in name:
            at += 1  # what such a script is given is what it runs in the end
        elif name in SERVERS:
            return [_server(name, words[at:], known, files, problems)]
        else:
            return [Server(name, word.place)] if name in EDGES else []
    return []


def _after_options(words: Sequence[Said], at: int, taking: frozenset[str]) -> int:
    """Where the words go on after a program's own name and options."""
    at += 1
    while at < len(words) and words[at].chars.startswith("-"):
        option = words[at].chars
        at += 2 if option in taking else 1
        if option == "--":
            break
    return at + 1 if "0" in taking else at


def _script(words: Sequence[Said], at: int) -> Said | None:
    """What `sh -c` runs, or None."""
    for index in range(at + 1, len(words) - 1):
        if words[index].chars.startswith("-") and words[index].chars.endswith("c"):
            return words[index + 1]
    return None


def _module(words: Sequence[Said], at: int) -> int:
    """Where the name stands of what `python -m` or `python .../gunicorn` runs."""
    at += 1
    while at < len(words) and words[at].chars.startswith("-"):
        option = words[at].chars
        at += 2 if option in ("-c", "-W", "-X") else 1
        if option == "-m":
            break
    return at


def _server(
    name: str, words: Sequence[Said], env: Mapping[str, Said], files: Files, problems: Problems
) -> Server:
    configured = {"gunicorn": gunicorn.read_command, "hypercorn": hypercorn.read_command}
    if name in configured:
        found, unread, names = configured[name](words, env, files, problems)
        return Server(name, words[0].place, found, tuple(names), tuple(unread))
    read = {"uvicorn": uvicorn.read, "granian": granian.read}[name]
    found, unread = read(words, env, problems)
    return Server(name, words[0].place, found, (), tuple(unread))


def contained(by: str) -> Value:
    """That a container is what a program runs in, described `by` a Compose file or an image."""
    return Value("container", by, Source.DERIVED, "what describes the container that it is in")


def under(name: str, server: Server, values: tuple[Value, ...] = ()) -> Server:
    """The server by the name of who starts it, with the values that hold because of that."""
    if server.found is None:
        return server
    found = msgspec.structs.replace(
        server.found, name=f"{name}: {server.found.name}", values=(*server.found.values, *values)
    )
    return msgspec.structs.replace(server, found=found)


def gathered(
    servers: Sequence[Server],
    problems: Problems,
    files: Sequence[str],
    *,
    host: tuple[Value, ...] = (),
    around: tuple[Around, ...] = (),
) -> Read:
    """What servers of a text are as a `Read`: their hops, and what could not be read."""
    names = [*files, *(name for server in servers for name in server.files)]
    return Read(
        hops=tuple(server.found for server in servers if server.found is not None),
        problems=tuple(problems.found),
        unread=tuple(word for server in servers for word in server.unread),
        files=tuple(dict.fromkeys(names)),
        host=host,
        around=around,
    )


def read(text: Text, files: Files) -> Read:
    """A shell script, or a command line."""
    problems = Problems()
    servers = in_shell(Said.of(text, 0, len(text.said)), {}, files, problems)
    return gathered(servers, problems, (text.name,))


def recognises(text: Text) -> bool:
    """A shell script in which a server is started, or its command line alone."""
    base = posixpath.basename(text.name)
    script = base.endswith((".sh", ".bash")) or re.match(r"#!.*\b(?:ba|da|a|z)?sh\b", text.said)
    return bool(script or base == "commands") and _RUNS.search(text.said) is not None


READER = Reader("commands", recognises, read)
