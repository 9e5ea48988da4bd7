"""How many slots shall serve, as the load asks for: looks at the workers in, a number and why out.

Knows no process and reads no clock: `now_s` is an argument. What keeps it from flapping:

- more are wanted past `high` of what the present ones are planned for, fewer only where the load
  would be `low` of what is left, at most; new ones are filled to what lies between (`Scale.aim`);
- each change is judged by looks after it, for a whole window: more are wanted where the middle one
  asks for it, and both more and fewer are as many as the highest one needs;
- what was seen before nobody looked for a while is no part of a window, so that a supervisor which
  stood still, and has looked once since, decides nothing by that;
- where a late loop or a wait asked for one more, it is remembered that so many were not enough for
  that load: whether one more cures it, or only its absence does not, the number stays.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import msgspec

from holdfast.model.scale import Scale
from holdfast.model.units import format_seconds, plural

STILL_S: Final = 2.0
"""Longer between two looks nobody looked; they are to be a second apart, and one may be late."""
STILL_PART: Final = 0.25
"""Of a longer window nobody looked for more than this part, so that four looks are the fewest."""


class Look(msgspec.Struct, frozen=True):
    """All workers at `at_s`: requests in flight, those that wait to be, `answered` since the look
    before, and how late the loop of the middle worker is."""

    at_s: float
    in_flight: int
    waiting: int = 0
    answered: int = 0
    lag_s: float = 0.0

    @property
    def load(self) -> int:
        """Requests that are here, whether they have a place or not."""
        return self.in_flight + self.waiting


class Serving(msgspec.Struct, frozen=True):
    """So many `slots` serve, since `since_s`; `short` of them were not enough for `short_load`."""

    slots: int
    since_s: float
    short: int = 0
    short_load: float = 0.0


class Chosen(msgspec.Struct, frozen=True):
    """So many slots shall serve; `why` is empty where that is no change. `short_load` is the load
    for which the present ones are not enough though they are planned for it."""

    slots: int
    why: str = ""
    short_load: float = 0.0


def middle(values: Sequence[float]) -> float:
    """The middle one, and of two the lower one."""
    return sorted(values)[(len(values) - 1) // 2]


def choose(
    scale: Scale, each: float, serving: Serving, looks: Sequence[Look], now_s: float
) -> Chosen:
    """The slots that shall serve now, of which `each` is planned for so many requests in flight.

    `looks` are in the order of their times; `scale.most` is a number.
    """
    slots = _within(scale, serving.slots)
    if slots != serving.slots:
        return Chosen(slots, f"`[scale]` has {scale.fewest} to {_most(scale):,}")
    found = _more(scale, each, serving, _window(looks, serving, now_s, scale.up_after))
    if found is None:
        found = _fewer(scale, each, serving, _window(looks, serving, now_s, scale.down_after))
    return found or Chosen(slots)


def changed(serving: Serving, chosen: Chosen, now_s: float) -> Serving:
    """What serves once what was chosen has come to pass, at `now_s`."""
    if chosen.short_load:
        return Serving(chosen.slots, now_s, serving.slots, chosen.short_load)
    if chosen.slots <= serving.short:
        return Serving(chosen.slots, now_s)
    return msgspec.structs.replace(serving, slots=chosen.slots, since_s=now_s)


def _window(
    looks: Sequence[Look], serving: Serving, now_s: float, for_s: float
) -> Sequence[Look] | None:
    """The looks of the last `for_s` seconds; None where they do not reach back so far."""
    begin_s = now_s - for_s
    since = _unbroken(looks, serving.since_s, max(STILL_S, STILL_PART * for_s))
    if not since or since[0].at_s > begin_s:
        return None
    return [look for look in since if look.at_s >= begin_s] or since[-1:]


def _unbroken(looks: Sequence[Look], since_s: float, still_s: float) -> list[Look]:
    """Those since then, and since nobody looked for longer than `still_s` seconds."""
    found: list[Look] = []
    for look in looks:
        if found and look.at_s - found[-1].at_s > still_s:
            found.clear()
        if look.at_s >= since_s:
            found.append(look)
    return found


def _more(
    scale: Scale, each: float, serving: Serving, looks: Sequence[Look] | None
) -> Chosen | None:
    """More slots, where the middle look asks for them."""
    if looks is None or serving.slots >= _most(scale):
        return None
    slots, load = serving.slots, middle([look.load for look in looks])
    if load > scale.high * slots * each:
        peak = max(look.load for look in looks)
        wanted = max(slots + 1, math.ceil(peak / (each * scale.aim)))
        share, workers = peak / (slots * each), plural(slots, "worker")
        why = f"{plural(peak, 'request')}, {share:.0%} of what is planned for {workers}"
        return Chosen(_within(scale, wanted, slots), why)
    if not load:
        return None  # nobody waits for a late loop
    lag_s, wait_s = middle([look.lag_s for look in looks]), _wait_s(looks)
    if scale.wait and wait_s > scale.wait:
        why = f"requests wait {format_seconds(min(wait_s, scale.up_after))} for a place, or longer"
    elif scale.lag and lag_s > scale.lag:
        why = f"the loops of workers are {format_seconds(lag_s)} late"
    else:
        return None
    return Chosen(slots + 1, why, load)


def _fewer(
    scale: Scale, each: float, serving: Serving, looks: Sequence[Look] | None
) -> Chosen | None:
    """Fewer slots, where none of the looks needs so many."""
    if looks is None:
        return None
    slots, peak = serving.slots, max(look.load for look in looks)
    ratio = scale.high / scale.low
    needed = [peak / (each * scale.low)]
    if scale.lag:
        needed.append(slots * ratio * middle([look.lag_s for look in looks]) / scale.lag)
    if scale.wait:
        needed.append(slots * ratio * _wait_s(looks) / scale.wait)
    if peak * ratio > serving.short_load > 0:
        needed.append(serving.short + 1)
    if max(needed) > slots - 1:  # without an answer the wait has no end
        return None
    fewer = _within(scale, math.ceil(max(needed)), slots)
    if fewer == slots:
        return None
    within = format_seconds(scale.down_after)
    why = f"{plural(peak, 'request')} at most in {within} need {plural(fewer, 'worker')}"
    return Chosen(fewer, why)


def _wait_s(looks: Sequence[Look]) -> float:
    """How long a place is waited for, by Little's law: those that wait / answers a second."""
    waiting = middle([look.waiting for look in looks])
    answered = sum(look.answered for look in looks[1:])
    if not waiting:
        return 0.0
    return waiting * (looks[-1].at_s - looks[0].at_s) / answered if answered else math.inf


def _most(scale: Scale) -> float:
    return math.inf if scale.most is None else scale.most


def _within(scale: Scale, wanted: int, slots: int | None = None) -> int:
    """As many of those wanted as there may be, and as a step from so many `slots` goes."""
    if slots is not None and scale.step is not None:
        wanted = min(max(wanted, slots - scale.step), slots + scale.step)
    return int(min(max(wanted, scale.fewest), _most(scale)))
