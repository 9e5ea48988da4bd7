"""Numbers with units in tables that are records of `model.front`: text becomes numbers in place.

Decides only what a unit means; which keys there are and which values go, the records say.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final, get_args, get_type_hints

import msgspec

from holdfast.model.errors import BadInput
from holdfast.model.front.units import COUNT, DURATION, SIZE, UNIT
from holdfast.model.units import parse_bytes, parse_count, parse_seconds

PARSE: Final[dict[str, Callable[[str], float]]] = {
    DURATION: parse_seconds,
    SIZE: parse_bytes,
    COUNT: parse_count,
}


def with_numbers(told: Any, kind: Any, place: str) -> Any:
    """`told` as TOML has it, with each text that stands for a number of the record `kind` parsed.

    What is no such record is left as it is, for whoever converts it to refuse. Raises BadInput
    with the key, below `place`, of what is no such number.
    """
    record = _record(kind)
    if record is None:
        return told
    if isinstance(told, list):
        return [with_numbers(row, record, f"{place}[{at}]") for at, row in enumerate(told)]
    if not isinstance(told, dict):
        return told
    hints = get_type_hints(record, include_extras=True)
    kinds = {row.encode_name: hints[row.name] for row in msgspec.structs.fields(record)}
    return {
        key: _number(value, kinds[key], f"{place}.{key}") if key in kinds else value
        for key, value in told.items()
    }


def unmatched(wrong: msgspec.ValidationError, told: Any, kind: Any) -> BadInput | None:
    """A text that has not the form of its field, as people would be told: by what it is, and what
    the field says of itself. `told` is of the record `kind`; None for any other fault."""
    found = re.fullmatch(r"Expected `str` matching regex .* - at `(\$\.(.+))`", str(wrong))
    if found is None:
        return None
    meaning = ""
    for key in re.findall(r"[^.\[\]]+", found[2]):
        if key.isdecimal():
            told = told[int(key)]
            continue
        record = _record(kind)
        if record is None:
            return None
        rows = {row.encode_name: row.name for row in msgspec.structs.fields(record)}
        told, kind = told[key], get_type_hints(record, include_extras=True)[rows[key]]
        said = [row.description for row in getattr(kind, "__metadata__", ()) if row.description]
        meaning = said[-1] if said else meaning
    return BadInput(f"`{told}` is not of its form - at `{found[1]}`", hint=meaning)


def _number(told: Any, kind: Any, place: str) -> Any:
    unit = _unit(kind)
    if unit is None or not isinstance(told, str):
        return with_numbers(told, kind, place)
    try:
        return PARSE[unit](told)
    except BadInput as bad:
        raise BadInput(f"{bad.fault} - at `{place}`", hint=bad.hint) from None


def _unit(kind: Any) -> str | None:
    """The unit in which a field of the type is written, where it has one."""
    for said in getattr(kind, "__metadata__", ()):
        if isinstance(said, msgspec.Meta) and said.extra and UNIT in said.extra:
            return str(said.extra[UNIT])
    return next(filter(None, map(_unit, get_args(kind))), None)


def _record(kind: Any) -> type[msgspec.Struct] | None:
    """The record that a type is made of: itself, or in a union, a tuple or a description."""
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return kind
    return next(filter(None, map(_record, get_args(kind))), None)
