"""What goes with a value that is to be taken out: an option's words, or an assignment's line. Pure.

A span says where a value stands; what names it there is the file's own way of writing.
"""

from __future__ import annotations

import ast
import re

from holdfast.model.values import Place

_OPTION = re.compile(rb"[ \t]+(?:-\w|--[\w-]+)(?:=|[ \t]+)?['\"]?$")
"""An option before its argument: ` -w4`, ` --threads 4`, ` --threads="4"`."""


def around(data: bytes, place: Place) -> Place | None:
    """The span to delete so that the value and its name are gone; None where that is not known."""
    if place.file.endswith(".py"):
        return _statement(data, place)
    start = data.rfind(b"\n", 0, place.start) + 1
    option = _OPTION.search(data[start : place.start])
    if option is None:
        return None
    quoted = data[place.start - 1 : place.start] in (b"'", b'"')
    end = place.end + (1 if quoted else 0)
    return Place(place.file, place.line, start + option.start(), end)


def _statement(data: bytes, place: Place) -> Place | None:
    """The lines of the assignment at the top level of a Python file that the value is all of.

    None where something else of the file asks for the name.
    """
    try:
        tree = ast.parse(data)
    except (SyntaxError, ValueError):
        return None
    names = (each for each in ast.walk(tree) if isinstance(each, ast.Name))
    asked = {each.id for each in names if isinstance(each.ctx, ast.Load)}
    starts = [0]
    for line in data.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    for node in tree.body:
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value) if name not in asked:
                at = starts[value.lineno - 1] + value.col_offset
                if at == place.start:
                    last = node.end_lineno or node.lineno
                    return Place(place.file, node.lineno, starts[node.lineno - 1], starts[last])
    return None
