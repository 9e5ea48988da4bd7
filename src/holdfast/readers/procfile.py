"""A Procfile: `name: command` a line; the servers in the commands are hops. Runs nothing."""

from __future__ import annotations

import posixpath
import re

from holdfast.readers.commands import gathered, in_shell, under
from holdfast.readers.contract import Problems, Read, Reader
from holdfast.readers.said import Said
from holdfast.readers.text import Files, Text

_LINE = re.compile(r"^([\w-]+):[ \t]*([^\n]*)", re.MULTILINE)


def read(text: Text, files: Files) -> Read:
    """The servers of each line, by the line's name."""
    problems = Problems()
    servers = [
        under(found[1], server)
        for found in _LINE.finditer(text.said)
        for server in in_shell(Said.of(text, *found.span(2)), {}, files, problems)
    ]
    return gathered(servers, problems, (text.name,))


def recognises(text: Text) -> bool:
    """By its name."""
    base = posixpath.basename(text.name)
    return base.lower() == "procfile" or base.startswith("Procfile.")


READER = Reader("procfile", recognises, read)
