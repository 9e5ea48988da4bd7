"""What nginx's servers of one upstream are together: how they share, what bounds them all. No text.

A way has one number for its servers, as the model counts them: so many times the number of servers.
"""

from __future__ import annotations

import msgspec

from holdfast.model.path import Spread
from holdfast.model.values import Value, derived


def spread(balance: str, servers: int) -> Spread:
    """In turn is even while requests last alike, as the least connections are."""
    if servers == 1:
        return Spread.ONLY
    name = balance.partition(" ")[0]
    drawn = name == "random" and "two" not in balance
    return Spread.HASH if drawn or name in ("ip_hash", "hash") else Spread.LEAST


def together(told: list[Value | None], name: str) -> Value | None:
    """One value for all servers: what all say, or for `max_conns` the mean, else the smallest.

    A server without `max_conns` takes whatever comes, so that nothing is bounded.
    """
    said = [value for value in told if value is not None]
    if not said:
        return None
    if len(said) == len(told) and len({value.value for value in said}) == 1:
        return said[0]
    numbers = [value.number for value in said]
    if name == "max_conns":
        if len(said) < len(told) or 0 in numbers:
            return None
        made = derived(name, sum(numbers) / len(numbers), f"the mean of {len(numbers)} servers")
    else:
        why = f"the smallest that {len(said)} of {len(told)} servers say"
        made = derived(said[0].setting, min(numbers), why)
    return msgspec.structs.replace(made, place=said[0].place)
