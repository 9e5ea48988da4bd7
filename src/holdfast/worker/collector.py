"""How often the garbage collector walks what a worker holds. Must not know what the app keeps.

A held request keeps some fifty objects alive. With Python's own thresholds each of them is walked
about seven times while requests pile up, cold from memory each time.
"""

from __future__ import annotations

import gc
from typing import Final

USUAL: Final = gc.get_threshold()
"""Python's own thresholds; an app that has set others keeps them."""
ROUNDS: Final = 10
"""Collections of one generation before the next older one is looked at, as in Python's own."""


def settle(requests: int) -> None:
    """Take what the app's import left for good, and collect in step with `requests` held.

    The youngest generation is collected each time that as many objects were added as requests are
    to be held here, so everything is walked once in 100 times that: about as often as the objects
    that the requests keep have doubled, instead of each time they grew by a quarter.
    """
    if gc.get_threshold() != USUAL:
        return
    gc.collect()
    gc.freeze()
    gc.set_threshold(max(USUAL[0], requests), ROUNDS, ROUNDS)
