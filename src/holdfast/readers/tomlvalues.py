"""What a TOML file's top-level names are, each with its place. Opens no file.

tomllib says what the values are, and no word of where; a value is looked for behind its name, and
what stands there must mean the same.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator

from holdfast.model.errors import BadInput
from holdfast.readers.pyresults import Known, Result, Unknown
from holdfast.readers.said import Said
from holdfast.readers.text import Text

_TABLE = re.compile(r"^[ \t]*\[\[?[ \t]*[\w.\"' -]+\]", re.MULTILINE)
_NAME = re.compile(r"^[ \t]*(['\"]?)([\w-]+)\1[ \t]*=[ \t]*", re.MULTILINE)
_SCALAR = re.compile(r"\"(?:[^\"\\\n]|\\.)*\"|'[^'\n]*'|[^\s#,\[\]{}\"'][^\s#,\[\]{}]*")
_BETWEEN = re.compile(r"(?:[\s,]|#[^\n]*)*")


def top_level(text: Text) -> dict[str, Result]:
    """Every name before the first table; raises BadInput where the file is no TOML."""
    try:
        data = tomllib.loads(text.said)
    except (ValueError, RecursionError) as wrong:
        fault = f"no TOML: {str(wrong) or 'nested too deep'}"
        raise BadInput(fault, place=text.name, hint="see https://toml.io") from None
    table = _TABLE.search(text.said)
    end = table.start() if table else len(text.said)
    results: dict[str, Result] = {}
    for found in _NAME.finditer(text.said, 0, end):
        name = found[2]
        if name in data and not isinstance(results.get(name), Known):  # else it is in a string
            results[name] = _result(text, data[name], found.end())
    return results


def _result(text: Text, value: object, start: int) -> Result:
    """The value that stands at `start`, or that it is not read here."""
    if isinstance(value, list):
        spans = list(_items(text, start))
        if len(spans) == len(value):
            pairs = zip(value, spans, strict=True)
            items = tuple(_scalar(text, one, span) for one, span in pairs)
            return Known(None, Said.of(text, start, spans[-1][1] if spans else start), items=items)
    found = _SCALAR.match(text.said, start)
    return _scalar(text, value, found.span() if found else (start, start))


def _items(text: Text, start: int) -> Iterator[tuple[int, int]]:
    """The spans of a list's scalars."""
    at = start + 1
    while True:
        blank = _BETWEEN.match(text.said, at)
        found = _SCALAR.match(text.said, blank.end() if blank else at)
        if found is None:
            return
        yield found.span()
        at = found.end()


def _scalar(text: Text, value: object, span: tuple[int, int]) -> Result:
    said = Said.of(text, *span)
    if not isinstance(value, str | int | float | bool) or _meaning(said.chars) != value:
        return Unknown(said, "is written in a way that is not read here")
    return Known(value, Said.meant(text, *span, value) if isinstance(value, str) else said)


def _meaning(chars: str) -> object:
    try:
        return tomllib.loads(f"x = {chars}")["x"]
    except ValueError:
        return None
