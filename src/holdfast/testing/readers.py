"""Judges any reader by its contract and its cases: `check_reader`. Knows no format.

Each check raises AssertionError with what is wrong; together they are the promise of a reader.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from types import FrameType
from typing import Any

from holdfast.model.errors import BadInput
from holdfast.model.values import Place, Scalar, Source, Value
from holdfast.readers.contract import Read, Reader
from holdfast.readers.text import Given, Text
from holdfast.testing.cases import Case
from holdfast.testing.shown import shown

MOST_GROWTH = 2.2
"""Twice the text takes at most so many times the steps; what is quadratic takes four times."""
COPIES = 8


def check_reader(reader: Reader, case: Case) -> None:
    """Judge everything of one case but its answer and its growth."""
    check_recognised(reader, case)
    check_repeats(reader, case)
    check_places(reader, case)
    check_replacing(reader, case)
    check_truncated(reader, case)


def answer(reader: Reader, case: Case) -> str:
    """What the reader makes of the case, as text: its model, or the BadInput with its hint."""
    try:
        return shown(reader.read(case.text, case.given), case.files)
    except BadInput as wrong:
        return f"BadInput: {wrong.fault}\n" + (f"  hint: {wrong.hint}\n" if wrong.hint else "")


def check_recognised(reader: Reader, case: Case) -> None:
    """The reader knows its own cases, unless they are no such file at all."""
    recognised, bad = reader.recognises(case.text), answer(reader, case).startswith("BadInput")
    assert recognised or bad, f"{reader.name} does not recognise {case.name}"


def check_repeats(reader: Reader, case: Case) -> None:
    """The same text gives the same answer, in whatever order the files were gathered."""
    turned = Given(dict(reversed(case.files.items())), case.root)
    first, again = _read(reader, case.text, case.given), _read(reader, case.text, turned)
    assert first == again, f"{case.name}: a second reading differs"


def check_places(reader: Reader, case: Case) -> None:
    """Each place is a span of a given file, not empty, with the line that it starts in."""
    read = _read(reader, case.text, case.given)
    for place in _places(read) if read else ():
        data = case.files[place.file].encode()
        assert 0 <= place.start < place.end <= len(data), f"{case.name}: {place} is no span"
        line = data.count(b"\n", 0, place.start) + 1
        assert place.line == line, f"{case.name}: {place} is in line {line}"


def check_replacing(reader: Reader, case: Case) -> None:
    """Other digits in the span of a written number change the values of that span, and no other.

    That is what `--fix` relies on.
    """
    before = _written(_read(reader, case.text, case.given))
    for place in {place for _, value, place in before if not isinstance(value, str)}:
        data = case.files[place.file].encode()
        span = data[place.start : place.end]
        digits = re.sub(rb"\d", lambda digit: b"%d" % (int(digit[0]) % 8 + 1), span)
        if digits == span:
            continue
        changed = (data[: place.start] + digits + data[place.end :]).decode()
        files = case.files | {place.file: changed}
        given = Given(files, case.root)
        after = _written(_read(reader, Text(case.first, files[case.first]), given))
        here = {told for told in before if told[2] == place}
        assert {told[2] for told in after} >= {place}, f"{case.name}: nothing is said at {place}"
        assert not here & after, f"{case.name}: {here} does not change with its place, `{span!r}`"
        lost = before - here - after
        assert not lost, f"{case.name}: `{span!r}` also changes {lost}"


def _written(read: Read | None) -> set[tuple[str, Scalar | None, Place]]:
    told = _values(read) if read else ()
    return {
        (value.setting, value.value, value.place)
        for value in told
        if value.place is not None and value.source is Source.WRITTEN
    }


def check_truncated(reader: Reader, case: Case) -> None:
    """Cut off after any character, or without any one line, it is read or refused: no traceback."""
    said = case.files[case.first]
    for end in range(len(said)):
        check_survives(reader, case.replaced(said[:end]))
    lines = said.splitlines(keepends=True)
    for gone in range(len(lines)):
        check_survives(reader, case.replaced("".join(lines[:gone] + lines[gone + 1 :])))


def check_survives(reader: Reader, case: Case) -> None:
    """Whatever stands in the file, the reader answers, or raises BadInput; and so does its look."""
    reader.recognises(case.text)
    _read(reader, case.text, case.given)


def check_grows(reader: Reader, case: Case) -> None:
    """Twice the text takes at most about twice the steps (lines of Python that run)."""
    said = case.files[case.first]
    fewer, more = (steps(reader, case.replaced(said * copies)) for copies in (COPIES, 2 * COPIES))
    assert more <= MOST_GROWTH * fewer, f"{case.name}: {fewer} steps, for twice the text {more}"


def steps(reader: Reader, case: Case) -> int:
    """How many lines of Python run while the case is read."""
    count = 0

    def line(_frame: FrameType, _event: str, _argument: Any) -> Any:
        nonlocal count
        count += 1
        return line

    before = sys.gettrace()
    sys.settrace(line)
    try:
        _read(reader, case.text, case.given)
    finally:
        sys.settrace(before)
    return count


def _read(reader: Reader, text: Text, given: Given) -> Read | None:
    try:
        return reader.read(text, given)
    except BadInput:
        return None


def _values(read: Read) -> Iterator[Value]:
    for hop in read.hops:
        yield hop.processes.value
        yield from hop.values
        for listen in hop.listens:
            yield from listen.values
        for dial in hop.dials:
            yield from (dial.idle_s, *dial.values)
            for server in dial.servers:
                yield from server.values
    yield from read.host
    for around in read.around:
        yield from around.values


def _places(read: Read) -> Iterator[Place]:
    yield from (value.place for value in _values(read) if value.place is not None)
    for hop in read.hops:
        yield from (listen.place for listen in hop.listens)
        yield from (server.place for dial in hop.dials for server in dial.servers)
    for problem in read.problems:
        yield from problem.places
    yield from (word.place for word in read.unread)
