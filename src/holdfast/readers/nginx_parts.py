"""Parts of an nginx configuration whose main file does not name them: a site that was given alone.

A part means nothing without a main file; which one it is taken for is the caller's to say.
"""

from __future__ import annotations

import msgspec

from holdfast.model.values import Source, Value
from holdfast.readers.contract import Found, Problems, Read
from holdfast.readers.nginx import SITE, WHOLE
from holdfast.readers.nginx_text import parse
from holdfast.readers.text import Files, Text

MODULES = "modules"
"""What a pattern for files of the outermost level has in its name, where no site stands."""


def stands_in_http(text: Text) -> bool:
    """Whether it is a part with servers, upstreams or maps, such as a site; no main file."""
    names = {one.name for one in parse(text, 0, len(text.said), Problems())}
    return not names.isdisjoint(SITE) and names.isdisjoint(WHOLE)


class Including:
    """Files among which the last pattern that matches none is taken to mean some parts.

    `pattern` is the last that matched none so far, "" where each matched.
    """

    def __init__(self, files: Files, pattern: str = "", parts: tuple[str, ...] = ()) -> None:
        self._files, self._wanted, self._parts = files, pattern, parts
        self.pattern = ""

    @property
    def root(self) -> str:
        """The absolute path of the root, or "" where it is unknown."""
        return self._files.root

    def read(self, name: str) -> str | bytes | None:
        """What the file of that name says, or None where there is none."""
        return self._files.read(name)

    def glob(self, pattern: str) -> tuple[str, ...]:
        """The names that match; the parts for the pattern that is taken to mean them."""
        found = self._files.glob(pattern)
        if not found and MODULES not in pattern:
            self.pattern = pattern
            return self._parts if pattern == self._wanted else ()
        return found


def granted(read: Read, name: str, why: str) -> Read:
    """The read with what the file `name` says as assumed: nobody gave that file."""

    def value(told: Value) -> Value:
        if told.place is None or told.place.file != name:
            return told
        return Value(told.setting, told.value, Source.ASSUMED, why)

    def hop(found: Found) -> Found:
        dials = tuple(
            msgspec.structs.replace(
                dial, values=tuple(map(value, dial.values)), idle_s=value(dial.idle_s)
            )
            for dial in found.dials
        )
        told = msgspec.structs.replace(found.processes, value=value(found.processes.value))
        return msgspec.structs.replace(
            found, processes=told, values=tuple(map(value, found.values)), dials=dials
        )

    files = tuple(file for file in read.files if file != name)
    return msgspec.structs.replace(read, hops=tuple(map(hop, read.hops)), files=files)
