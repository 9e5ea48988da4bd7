"""What a finding is, and the change that mends it. Frozen records; knows no law and no program."""

from __future__ import annotations

from enum import Enum

import msgspec

from holdfast.model.values import Place, Value


class Severity(Enum):
    """How bad a finding is."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


class Edit(msgspec.Struct, frozen=True):
    """What replaces a span of a file; a span without width is where `text` goes in."""

    place: Place
    text: str


class Change(msgspec.Struct, frozen=True):
    """One setting of a hop or a host (`of`) to another value, and how it is written.

    `line` is what the program reads, such as "worker_connections 19500;". `edits` are the spans
    that say it now; empty where no file that was given has a place for it.
    """

    of: str
    value: Value
    line: str
    edits: tuple[Edit, ...] = ()


class Finding(msgspec.Struct, frozen=True):
    """A law broken by a path: what, where, by which formula with its numbers, and what mends it."""

    code: str
    severity: Severity
    places: tuple[Place, ...]
    message: str
    hint: str
    formula: str = ""
    changes: tuple[Change, ...] = ()

    @property
    def edits(self) -> tuple[Edit, ...]:
        """What to replace in the files that were given."""
        return tuple(edit for change in self.changes for edit in change.edits)
