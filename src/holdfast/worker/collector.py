"""How often the garbage collector walks what a worker holds. Must not know what the app keeps.

A held request keeps some sixty objects alive. With Python's own thresholds each of them is walked
about seven times while requests pile up, cold from memory each time.
"""

from __future__ import annotations

import gc
from typing import Final

USUAL: Final = gc.get_threshold()
"""Python's own thresholds; an app that has set others keeps them."""
OBJECTS: Final = 10
"""Objects added for each request that is to be held, before the young ones are walked: a held
request keeps some sixty, so a worker that fills up walks each of them once."""
ROUNDS: Final = 5
"""Collections of the young, beyond which those that survived are walked too; then all the rest."""


def settle(requests: int) -> None:
    """Take what the app's import left for good, and collect in step with `requests` held.

    What lives long is walked when some 70 objects for each request were added and not given back
    ((5 + 1 + 1) x 10), when about all that the requests keep could be garbage, instead of each time
    that it grew by a quarter. Cycles that an app leaves behind may take so much memory meanwhile.
    """
    if gc.get_threshold() != USUAL:
        return
    gc.collect()
    gc.freeze()
    gc.set_threshold(max(USUAL[0], OBJECTS * requests), ROUNDS, 0)
