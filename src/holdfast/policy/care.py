"""Which worker is to be replaced for its own sake, and why: plain values in, one worker out.

Knows no process and reads no clock: `now_s` is an argument, the caller acts and reports back.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final, Literal

import msgspec

from holdfast.model.care import Care
from holdfast.model.units import format_bytes, format_seconds

Why = Literal["deaf", "memory", "requests", "age"]
REASONS: Final[tuple[Why, ...]] = ("deaf", "memory", "requests", "age")
"""In the order in which they are seen to: who does not answer comes first."""
ILL: Final = {"deaf", "memory"}
"""Reasons that a successor should not have; the others come to everyone in time."""
JITTER: Final = 0.1
"""A limit is so much smaller at most, so that workers that started together part."""
LASTING_S: Final = 600.0
"""A worker that was well for so long is not taken for as ill as the one before it."""
FIRST_S: Final = 10.0
LONGEST_S: Final = 600.0
"""The waits before a slot is tried again: the first one, which doubles, and the longest."""
_GOLDEN: Final = 0.6180339887498949


class Worker(msgspec.Struct, frozen=True):
    """One that serves: its age, the memory of its own, how many requests it has answered, and for
    how long it has not answered its supervisor though it was asked."""

    slot: int
    generation: int
    age_s: float
    memory_bytes: int = 0
    requests: int = 0
    silent_s: float = 0.0


class Past(msgspec.Struct, frozen=True):
    """The last replacement in a slot, begun at `at_s`; before it, `times` in a row cured nothing.

    It `has_failed` where the successor never served, so that the former worker still does.
    """

    at_s: float
    times: int = 0
    has_failed: bool = False


class Due(msgspec.Struct, frozen=True):
    """This worker is to be replaced: `told` says what it has become, beside what it may, and `past`
    is what to remember of its slot from now on."""

    slot: int
    generation: int
    why: Why
    told: str
    past: Past


def jitter(slot: int, generation: int) -> float:
    """What a worker's limits are multiplied by: 1 - JITTER to 1, neighbours as far apart as can be.

    Multiples of the golden ratio, without their whole parts, never lie close to each other.
    """
    return 1.0 - JITTER * ((slot + generation * _GOLDEN) * _GOLDEN % 1.0)


def wait_s(times: int) -> float:
    """How long a slot is left alone after so many replacements in a row that cured nothing."""
    return min(LONGEST_S, FIRST_S * 2.0 ** min(times - 1, 16)) if times else 0.0


def due(
    care: Care,
    workers: Iterable[Worker],
    past: Mapping[int, Past],
    now_s: float,
    *,
    is_replacing: bool,
) -> Due | None:
    """The worker to be replaced now, if one is: none while another one `is_replacing` still.

    By reason, and of one reason the one that is furthest past its limit.
    """
    if is_replacing:
        return None
    found: list[tuple[int, float, int, Due]] = []
    for worker in workers:
        before = past.get(worker.slot)
        for why, excess, told in _past_limits(care, worker):
            times = _in_vain(worker, why, before)
            if before is None or now_s - before.at_s >= wait_s(times):
                named = Due(worker.slot, worker.generation, why, told, Past(now_s, times))
                found.append((REASONS.index(why), -excess, worker.slot, named))
    return min(found, key=lambda each: each[:3])[-1] if found else None


def failed(past: Past) -> Past:
    """The successor died before it served."""
    return msgspec.structs.replace(past, times=past.times + 1, has_failed=True)


def _in_vain(worker: Worker, why: Why, before: Past | None) -> int:
    """How many replacements in a row, up to now, have not cured the slot of this."""
    if before is None:
        return 0
    if before.has_failed:
        return before.times
    return before.times + 1 if why in ILL and worker.age_s < LASTING_S else 0


def _past_limits(care: Care, worker: Worker) -> Iterator[tuple[Why, float, str]]:
    """Each limit that the worker is past: how far, as a factor, and what is told of it."""
    factor = jitter(worker.slot, worker.generation)
    if care.deaf and worker.silent_s >= care.deaf:
        told = f"no answer for {format_seconds(worker.silent_s)} of {format_seconds(care.deaf)}"
        yield "deaf", worker.silent_s / care.deaf, told
    if care.memory and worker.memory_bytes >= care.memory * factor:
        told = f"{format_bytes(worker.memory_bytes)} of {format_bytes(care.memory)}"
        yield "memory", worker.memory_bytes / care.memory, told
    if care.max_requests and worker.requests >= care.max_requests * factor:
        told = f"{worker.requests:,} requests of {care.max_requests:,}"
        yield "requests", worker.requests / care.max_requests, told
    if care.max_age and worker.age_s >= care.max_age * factor:
        told = f"{format_seconds(worker.age_s)} of {format_seconds(care.max_age)}"
        yield "age", worker.age_s / care.max_age, told
