"""What nginx bounds by a key: which zones all clients share, which each address has. No disk."""

from __future__ import annotations

import re

import msgspec

from holdfast.model.values import Value
from holdfast.readers import nginx_rows as rows
from holdfast.readers.amounts import count, rate
from holdfast.readers.contract import Problems, Row
from holdfast.readers.nginx_text import Directive

VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")
SHARED, ADDRESS, KEY = "", "_per_address", "_per_key"
"""Who has a limit: all clients together, each address, or each of something else."""


class Zones:
    """The zones of `limit_conn_zone` and `limit_req_zone` by their names: whose keys they have."""

    def __init__(self, problems: Problems) -> None:
        self.problems = problems
        self._whose: dict[str, str] = {}
        self._rates: dict[str, Value] = {}

    def note(self, one: Directive, block: list[Directive]) -> None:
        """Whose key a zone of a block has, which those above it may name too.

        All clients share a key that is a `map` of plain words, which tells some paths from others,
        or a `geo` that has a word for everybody.
        """
        key, zone = one.words[0].text, _zone(one.words[1].text)
        named = _named(key)
        plain = {made.words[-1].text for made in block if _is_plain(made)}
        if named - plain <= rows.SHARED_KEYS:
            self._whose[zone] = SHARED
        else:
            by_address = not rows.ADDRESSES.isdisjoint(named | _mapped(named, block))
            self._whose[zone] = ADDRESS if by_address else KEY
        told = next((word for word in one.words[2:] if word.text.startswith("rate=")), None)
        if told is not None:
            row = Row(one.name, frozenset((rows.HTTP,)), f"limit_req{self._whose[zone]}", rate)
            value = self.problems.lands(row, one.head, (told.after("rate="),))
            self._rates |= {} if value is None else {zone: value}

    def at_once(self, one: Directive) -> Value | None:
        """What a `limit_conn` allows to be in flight, by whose it is."""
        row = Row("limit_conn", rows.EVERYWHERE, "limit_conn", count, 2, 2, 1)
        value = self.problems.lands(row, one.head, one.words)
        if value is None:
            return None
        whose = self._whose.get(one.words[0].text, KEY)
        return msgspec.structs.replace(value, setting=f"limit_conn{whose}")

    def a_second(self, one: Directive) -> Value | None:
        """What a `limit_req` allows to come: the rate of its zone."""
        zones = (word.text for word in one.words if word.text.startswith("zone="))
        return self._rates.get(_zone(next(zones, "")))


def _zone(text: str) -> str:
    return text.removeprefix("zone=").partition(":")[0]


def _named(text: str) -> set[str]:
    """The variables that a text names."""
    return {f"${found[1] or found[2]}" for found in VARIABLE.finditer(text)}


def _mapped(variables: set[str], block: list[Directive]) -> set[str]:
    """What the `map` of some variables in a block name in their turn."""
    maps = (one for one in block if one.name == "map" and one.words)
    entries = (e for one in maps if one.words[-1].text in variables for e in one.block or ())
    return {name for entry in entries for word in entry.words for name in _named(word.text)}


def _is_plain(one: Directive) -> bool:
    """Whether what it makes of a request is a plain word that many clients share.

    A `map` of what was asked for to words that name nothing else; a `geo` whose default is one.
    """
    if one.name == "geo" and one.words:
        usual = [e.words[0].text for e in one.block or () if e.name == "default" and e.words]
        return bool(usual and usual[-1])
    if one.name != "map" or len(one.words) != 2 or one.words[0].text not in rows.ASKED:
        return False
    said = [word.text for entry in one.block or () for word in entry.words]
    return bool(said) and all("$" not in text for text in said)
