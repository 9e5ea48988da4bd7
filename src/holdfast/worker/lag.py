"""How late an event loop is: a timer that comes late, as one word of the worker's row.

Decides what one word says of many waits; whoever has a loop brings the timer.
"""

from __future__ import annotations

import time
from typing import Final

from holdfast.wire import LAG_US

EVERY_S: Final = 0.25
"""How often the timer is due."""


class Lag:
    """Writes how late the timer came: at once where it is later than before, else half of before.

    So whoever looks once a second sees a pause of the second before, at a sixteenth of it or more.
    """

    def __init__(self, words: memoryview) -> None:
        self._words = words
        self._due_s = 0.0

    def next_s(self) -> float:
        """In how many seconds the timer is to come next; counts from now."""
        self._due_s = time.monotonic() + EVERY_S
        return EVERY_S

    def came(self) -> None:
        """The timer has come."""
        late_us = int((time.monotonic() - self._due_s) * 1e6)
        self._words[LAG_US] = max(late_us, self._words[LAG_US] // 2)
