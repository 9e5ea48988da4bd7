"""The changes that make a path hold a number: audit, change, audit again. Touches no disk."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from holdfast.checks.audit import Audit, audit
from holdfast.checks.remedy import applied
from holdfast.checks.removal import around
from holdfast.model.finding import Change, Edit, Finding
from holdfast.model.path import Demand, Path

MOST_ROUNDS = 100
"""Each round mends one finding; a path has fewer settings than that."""


class Mended(msgspec.Struct, frozen=True):
    """What to change, and what the changed path is.

    `changes` has the last value of each setting that changes, with the spans of the files as they
    are. `left` are findings of the changed path that no change of a value mends.
    """

    changes: tuple[Change, ...]
    after: Audit

    @property
    def left(self) -> tuple[Finding, ...]:
        """What is still wrong."""
        return self.after.findings

    @property
    def by_hand(self) -> tuple[Change, ...]:
        """The changes for which no file that was given has a place."""
        return tuple(change for change in self.changes if not change.edits)


def changes_for(path: Path, demand: Demand) -> Mended:
    """The changes by which `path` holds the demand, as far as values of settings can do it."""
    last: dict[tuple[str, str], Change] = {}
    seen = audit(path, demand, demand.in_flight)
    for _ in range(MOST_ROUNDS):
        todo = next((f for f in seen.findings if _is_new(f, last)), None)
        if todo is None:
            break
        last |= {(change.of, change.value.setting): change for change in todo.changes}
        path = applied(path, todo.changes)
        seen = audit(path, demand, demand.in_flight)
    return Mended(tuple(last.values()), seen)


def settled(mended: Mended, files: Mapping[str, bytes]) -> Mended:
    """The same with every removal as the span that goes; one that no text tells is left by hand."""

    def spans(change: Change) -> Change:
        edits: list[Edit] = []
        for edit in change.edits:
            place = edit.place
            whole = around(files[place.file], place) if edit.is_removal else place
            if whole is None:
                return msgspec.structs.replace(change, edits=())
            edits.append(Edit(whole, edit.text))
        return msgspec.structs.replace(change, edits=tuple(edits))

    return msgspec.structs.replace(mended, changes=tuple(map(spans, mended.changes)))


def _is_new(finding: Finding, last: Mapping[tuple[str, str], Change]) -> bool:
    """Whether the finding has a change that was not made already, so that this comes to an end."""
    return any(
        (made := last.get((change.of, change.value.setting))) is None
        or made.value.value != change.value.value
        for change in finding.changes
    )


def edited(files: Mapping[str, bytes], edits: Iterable[Edit]) -> dict[str, bytes]:
    """The files of which something changes, changed; raises ValueError where spans overlap.

    Only the spans of the edits change. One that goes in at the end of a span stands behind it.
    """
    by_file: dict[str, list[Edit]] = {}
    for edit in dict.fromkeys(edits):
        by_file.setdefault(edit.place.file, []).append(edit)
    changed = {}
    for name, those in by_file.items():
        text, end = files[name], len(files[name])
        for edit in sorted(those, key=lambda e: (e.place.start, e.place.end), reverse=True):
            place = edit.place
            if place.end > end:
                raise ValueError(f"two changes of {name} overlap at {place.start}")
            text = text[: place.start] + edit.text.encode() + text[place.end :]
            end = place.start
        changed[name] = text
    return changed
