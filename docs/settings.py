"""Prints the tables of docs/reference/edge.md from the records of `model.front`; by name, others.

Each record is a table of holdfast.toml, each field a key: what it means stands at the field itself.
"""

from __future__ import annotations

import sys
from typing import Any, get_args, get_origin, get_type_hints

import msgspec

from holdfast.model.care import Care
from holdfast.model.front.admission import Admission
from holdfast.model.front.front import Front
from holdfast.model.front.units import COUNT, DURATION, SIZE, UNIT
from holdfast.model.scale import Scale
from holdfast.model.units import format_bytes, format_count, format_seconds

SHOWN = {DURATION: format_seconds, SIZE: format_bytes, COUNT: format_count}
WRITTEN = {DURATION: "`5s`, `2m`", SIZE: "`64k`, `1 MiB`", COUNT: "`2000`, `50k`"}


NAMED: dict[str, type[msgspec.Struct]] = {"care": Care, "scale": Scale}
"""Tables that have a page of their own."""


def main() -> None:
    """Print a heading and a table for each record, those within others after them."""
    for name in sys.argv[1:]:
        show(NAMED[name], name)
    if sys.argv[1:]:
        return
    show(Front, "edge")
    print("## `[admission]`\n\nWhat requests beyond N meet, with an edge or without.")
    show(Admission, "admission")


def show(record: type[msgspec.Struct], name: str) -> None:
    """Print one record's table, then the ones of the records in it."""
    hints = get_type_hints(record, include_extras=True)
    rows, inner = [], []
    for row in msgspec.structs.fields(record):
        kind = hints[row.name]
        found = record_of(kind)
        if found is not None:
            inner.append((found, f"{name}.{row.encode_name}", kind))
            continue
        unit = extra(kind)
        rows.append(
            f"| `{row.encode_name}` | {shown(row.default, unit)} | {said(kind)}"
            f"{f' Written as {WRITTEN[unit]}.' if unit else ''} |"
        )
    if rows:
        if record is Front:
            print(f"\n## `[{name}]`")
        print("\n| key | default | meaning |\n|---|---|---|")
        print("\n".join(rows))
    for found, path, kind in inner:
        table = f"[[{path}]]" if is_list(kind) else f"[{path}]"
        print(f"\n## `{table}`\n\n{said(kind)}")
        show(found, path)
    print()


def shown(default: Any, unit: str | None) -> str:
    """A default as people would write it."""
    if default is msgspec.NODEFAULT:
        return "must be given"
    if default is None or default in ((), ""):
        return "none"
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    if isinstance(default, tuple):
        return ", ".join(f"`{each}`" for each in default)
    return f"`{SHOWN[unit](default) if unit else default}`"


def metas(kind: Any) -> list[msgspec.Meta]:
    """What is said of a type, the field's own words last."""
    found = [each for inner in get_args(kind)[:1] for each in metas(inner)]
    return found + [each for each in getattr(kind, "__metadata__", ()) if is_meta(each)]


def is_meta(said_of_it: Any) -> bool:
    """Whether it is one of msgspec's descriptions."""
    return isinstance(said_of_it, msgspec.Meta)


def said(kind: Any) -> str:
    """A field's description; raises LookupError where a field has none."""
    words = [each.description for each in metas(kind) if each.description]
    if not words:
        raise LookupError(f"a field of the type {kind} says nothing of itself")
    return words[-1]


def extra(kind: Any) -> str | None:
    """The unit in which a field is written."""
    units = [each.extra[UNIT] for each in metas(kind) if each.extra and UNIT in each.extra]
    return str(units[-1]) if units else None


def is_list(kind: Any) -> bool:
    """Whether a key is a list of tables."""
    return get_origin(kind) is tuple or any(map(is_list, get_args(kind)[:1]))


def record_of(kind: Any) -> type[msgspec.Struct] | None:
    """The record in a type, if there is one."""
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return kind
    return next(filter(None, map(record_of, get_args(kind))), None)


if __name__ == "__main__":
    main()
