"""Answers counted by the value of one of their headers, in memory that a process shares.

Pure but for that memory. Must not know which header it is, nor how an answer came.
"""

from __future__ import annotations

from typing import Final

MOST_VALUES: Final = 16
"""Values that are told apart by name; answers with any other one are counted together."""
VALUE_BYTES: Final = 56
"""Of a value, as much as is looked at."""
OTHERS: Final = "(other values)"
SIZE: Final = 8 + MOST_VALUES * (16 + VALUE_BYTES)
"""Bytes of one process's counts: a word for the others; a word, a length and a text for each."""


class Tally:
    """The counts in `view`, SIZE bytes; one process writes, any may read, also once it is gone."""

    def __init__(self, view: memoryview) -> None:
        words = 1 + 2 * MOST_VALUES
        self._words = view[: words * 8].cast("Q")
        self._texts = view[words * 8 : SIZE]
        self._places: dict[bytes, int] = {}

    def count(self, value: bytes) -> None:
        """One more answer with that value."""
        value = value[:VALUE_BYTES]
        place = self._places.get(value)
        if place is None:
            place = self._place(value)
        self._words[place] += 1

    def _place(self, value: bytes) -> int:
        """Where the value is counted from now on: 0 for those that have no place of their own."""
        known = len(self._places)
        if known == MOST_VALUES:
            return 0
        self._texts[known * VALUE_BYTES :][: len(value)] = value
        self._words[1 + MOST_VALUES + known] = len(value)
        self._places[value] = 1 + known
        return 1 + known

    def read(self) -> dict[str, int]:
        """How many answers had each value, by its text; "" is of those without the header."""
        found = {OTHERS: self._words[0]} if self._words[0] else {}
        for known, count in enumerate(self._words[1 : 1 + MOST_VALUES]):
            if count:
                text = self._texts[known * VALUE_BYTES :][: self._words[1 + MOST_VALUES + known]]
                found[bytes(text).decode("latin-1")] = count
        return found
