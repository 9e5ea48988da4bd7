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
    """What replaces a span of a file; a span without width is where `text` goes in.

    With `is_removal` the span is a value's that is to be taken out with what names it, which only
    the file's text tells.
    """

    place: Place
    text: str
    is_removal: bool = False


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
        """What to replace in the files that were given, as far as the spans alone say it."""
        edits = (edit for change in self.changes for edit in change.edits)
        return tuple(edit for edit in edits if not edit.is_removal)
