"""A Dockerfile's last stage: what its ENTRYPOINT and CMD start, with its ENV. Builds nothing."""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Iterator, Mapping

import msgspec

from holdfast.readers.argv import names
from holdfast.readers.commands import Server, contained, gathered, in_shell, in_words
from holdfast.readers.contract import Fault, Problems, Read, Reader
from holdfast.readers.said import Said
from holdfast.readers.shell import expanded, pairs, words
from holdfast.readers.text import Files, Text

_INSTRUCTION = re.compile(r"[ \t]*([A-Za-z]+)[ \t]+")
_HEREDOC = re.compile(r"<<-?(['\"]?)(\w+)\1")
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_KNOWN = names(
    "FROM RUN CMD LABEL EXPOSE ENV ADD COPY ENTRYPOINT VOLUME USER WORKDIR ARG ONBUILD STOPSIGNAL "
    "HEALTHCHECK SHELL MAINTAINER"
)


class Image(msgspec.Struct):
    """What a stage leaves: its variables, and what it starts (None: what its base starts)."""

    env: dict[str, Said]
    entrypoint: Said | None = None
    command: Said | None = None


def instructions(text: Text) -> Iterator[tuple[str, Said]]:
    """Each instruction with its arguments, lines joined by a backslash as one."""
    chars: list[str] = []
    at: list[int] = []
    start, ends = 0, [""]
    for line in text.said.splitlines(keepends=True):
        bare = line.rstrip("\r\n")
        where, start = start, start + len(line)
        if ends[-1]:
            if bare.strip() == ends[-1]:
                ends.pop()
            continue
        if bare.lstrip().startswith("#") or (at and not bare.strip()):
            continue
        goes_on = bare.rstrip().endswith("\\")
        kept = bare.rstrip()[:-1] + " " if goes_on else bare
        chars.append(kept)
        at += range(where, where + len(kept))
        if not goes_on and at:
            said = Said(text, "".join(chars), at, (at[0], at[-1] + 1))
            ends += [found[2] for found in reversed(list(_HEREDOC.finditer(said.chars)))]
            yield from _instruction(said)
            chars, at = [], []
    if at:
        yield from _instruction(Said(text, "".join(chars), at, (at[0], at[-1] + 1)))


def _instruction(said: Said) -> Iterator[tuple[str, Said]]:
    found = _INSTRUCTION.match(said.chars)
    if found and found.end() < len(said):
        yield found[1].upper(), said.cut(found.end()).stripped()


def image(text: Text, problems: Problems) -> Image:
    """What the last stage of a Dockerfile leaves."""
    stages: dict[str, Image] = {}
    now, arguments = Image({}), dict[str, Said]()
    for name, said in instructions(text):
        match name:
            case "FROM":
                base, *rest = [word.chars for word in words(said, arguments)] or [""]
                old = stages.get(base, Image({}))
                now = Image(dict(old.env), old.entrypoint, old.command)
                if len(rest) == 2 and rest[0].lower() == "as":
                    stages[rest[1]] = now
            case "ENV":
                _environment(said, now.env, arguments)
            case "ARG":
                key, equals, _ = said.chars.partition("=")
                if equals:
                    arguments[key.strip()] = said.cut(len(key) + 1)
            case "CMD":
                now.command = said
            case "ENTRYPOINT":
                now.entrypoint, now.command = said, None
            case _ if name not in _KNOWN:
                message = f"`{name}` is no instruction of a Dockerfile"
                problems.add(Fault.SYNTAX, message, said.place)
    return now


def _environment(said: Said, env: dict[str, Said], arguments: Mapping[str, Said]) -> None:
    """`ENV NAME=value ...`, or the old `ENV NAME value`."""
    key, blank, _ = said.chars.partition(" ")
    if blank and "=" not in key:
        env[key] = expanded(said.cut(len(key) + 1).stripped(), {**arguments, **env})
        return
    for word in pairs(said, {**arguments, **env}):
        name, equals, _ = word.chars.partition("=")
        if equals:
            env[name] = word.cut(len(name) + 1)


def exec_form(said: Said) -> list[Said] | None:
    """The words of `["program", "argument"]`, or None where it is a shell's text."""
    try:
        means = json.loads(said.chars)
    except (ValueError, RecursionError):
        return None
    if not isinstance(means, list) or not all(isinstance(word, str) for word in means):
        return None
    spans = [found.span() for found in _STRING.finditer(said.chars)]
    found = []
    for (start, end), word in zip(spans, means, strict=True):
        inner = said.cut(start + 1, end - 1)
        whole = said.cut(start, end)
        plain = inner.chars == word and bool(word)
        found.append(inner if plain else Said(said.text, word, None, whole.span))
    return found


def started(
    entrypoint: Said | None,
    command: Said | None,
    env: Mapping[str, Said],
    files: Files,
    problems: Problems,
) -> list[Server]:
    """What ENTRYPOINT and CMD start together: a shell's ENTRYPOINT takes no CMD."""
    first = exec_form(entrypoint) if entrypoint is not None else []
    if first is None and entrypoint is not None:
        return in_shell(entrypoint, env, files, problems)
    after = exec_form(command) if command is not None else []
    if after is None and command is not None:
        found = in_words(first or [], env, files, problems)
        return found or in_shell(command, env, files, problems)
    return in_words([*(first or []), *(after or [])], env, files, problems)


def read(text: Text, files: Files) -> Read:
    """The servers that a container of the last stage starts."""
    problems = Problems()
    last = image(text, problems)
    servers = started(last.entrypoint, last.command, last.env, files, problems)
    return gathered([_in_it(server) for server in servers], problems, (text.name,))


def _in_it(server: Server) -> Server:
    if server.found is None:
        return server
    values = (*server.found.values, contained("image"))
    found = msgspec.structs.replace(server.found, values=values)
    return msgspec.structs.replace(server, found=found)


def recognises(text: Text) -> bool:
    """By its name."""
    base = posixpath.basename(text.name).lower()
    return (
        base in ("dockerfile", "containerfile")
        or base.startswith("dockerfile.")
        or (base.endswith(".dockerfile"))
    )


READER = Reader("dockerfile", recognises, read)
