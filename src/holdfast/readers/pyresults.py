"""What an expression of a Python file is known to be: a value, or why nobody knows. No syntax."""

from __future__ import annotations

import msgspec

from holdfast.readers.said import Said

Scalars = str | int | float | bool | None


class Known(msgspec.Struct, frozen=True):
    """A value, `a_core` of it for each core beside; `said` is what to change, `unless` a variable.

    A list's items are in `items`.
    """

    value: Scalars
    said: Said
    a_core: float = 0.0
    items: tuple[Known | Unknown, ...] | None = None
    unless: str = ""


class Unknown(msgspec.Struct, frozen=True):
    """What only the running program knows, and why."""

    said: Said
    why: str


Result = Known | Unknown


def of_variable(result: Result) -> str:
    """The variable that a result is, where nobody set it; else nothing."""
    unset = isinstance(result, Unknown) and result.why.startswith("is the variable `")
    return result.why.split("`")[1] if isinstance(result, Unknown) and unset else ""


def given(result: Result, name: str) -> Result:
    """A result that stands unless a variable is set."""
    return result if isinstance(result, Unknown) else msgspec.structs.replace(result, unless=name)
