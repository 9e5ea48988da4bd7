"""Which worker is replaced for its own sake, and when again: plain values and random ones."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.model.care import Care
from holdfast.policy.care import (
    FIRST_S,
    JITTER,
    LASTING_S,
    LONGEST_S,
    REASONS,
    Due,
    Past,
    Worker,
    due,
    failed,
    jitter,
    wait_s,
)

MIB = 2**20
CARE = Care(max_age=3_600.0, max_requests=1_000, memory=100 * MIB, deaf=30.0)
LARGE = Worker(0, 1, 60.0, memory_bytes=200 * MIB)


def asked(*workers: Worker, past: dict[int, Past] | None = None, now_s: float = 1e6) -> Due | None:
    return due(CARE, workers, past or {}, now_s, is_replacing=False)


@pytest.mark.parametrize(
    ("worker", "why", "told"),
    [
        (Worker(1, 1, 60.0, silent_s=31.0), "deaf", "no answer for 31 s of 30 s"),
        (Worker(1, 1, 60.0, memory_bytes=150 * MIB), "memory", "150 MiB of 100 MiB"),
        (Worker(1, 1, 60.0, requests=1_234), "requests", "1,234 requests of 1,000"),
        (Worker(1, 1, 3_700.0), "age", "61 min 40 s of 60 min 0 s"),
    ],
)
def test_a_worker_past_a_limit_is_due(worker: Worker, why: str, told: str) -> None:
    """Each limit has its reason, and what is told of it says both numbers."""
    found = asked(Worker(0, 1, 60.0, 10 * MIB, 10, 1.0), worker)
    assert found is not None
    assert (found.slot, found.generation, found.why, found.told) == (1, 1, why, told)


def test_what_has_no_limit_is_not_looked_at() -> None:
    """Zero and none are no limits."""
    worst = Worker(0, 1, 1e9, 2**50, 10**9, 1e9)
    assert due(Care(memory=0, deaf=0.0), [worst], {}, 1e6, is_replacing=False) is None


def test_one_is_replaced_at_a_time() -> None:
    """While one is being replaced no other is."""
    assert due(CARE, [LARGE], {}, 1e6, is_replacing=True) is None


def test_who_does_not_answer_comes_first() -> None:
    """Reasons have an order; of one reason the one furthest past its limit is first."""
    deaf, old, older = (
        Worker(3, 1, 60.0, silent_s=31.0),
        Worker(1, 1, 4_000.0),
        Worker(2, 1, 5_000.0),
    )
    for workers, slot in (((LARGE, old, deaf), 3), ((old, LARGE), 0), ((old, older), 2)):
        found = asked(*workers)
        assert found is not None
        assert found.slot == slot


def test_workers_that_started_together_part() -> None:
    """Their limits differ by a fortieth of the jitter or more, and none is above what was said."""
    for generation in (1, 2, 50):
        factors = sorted(jitter(slot, generation) for slot in range(16))
        assert min(b - a for a, b in itertools.pairwise(factors)) > JITTER / 40
        assert factors[0] >= 1 - JITTER
        assert factors[-1] <= 1


def test_a_failed_replacement_is_tried_ever_later() -> None:
    """After 10 s, 20 s, 40 s and so on, up to the longest wait; meanwhile the former serves."""
    past, now_s, waits = {}, 1_000.0, []
    for _ in range(10):
        first = asked(LARGE, past=past, now_s=now_s)
        assert first is not None
        past = {0: failed(first.past)}
        wait = wait_s(past[0].times)
        assert asked(LARGE, past=past, now_s=now_s + wait - 0.1) is None
        assert asked(Worker(1, 1, 60.0, requests=2_000), past=past, now_s=now_s) is not None
        now_s += wait
        waits.append(wait)
    assert waits == [min(LONGEST_S, FIRST_S * 2**n) for n in range(10)]


def test_a_successor_that_is_as_ill_waits() -> None:
    """One that is too large soon after it took the slot is not replaced at once, over and over."""
    first = asked(LARGE, now_s=1_000.0)
    assert first is not None
    again = Worker(0, 2, 5.0, memory_bytes=200 * MIB)
    assert asked(again, past={0: first.past}, now_s=1_005.0) is None
    second = asked(again, past={0: first.past}, now_s=1_000.0 + FIRST_S)
    assert second is not None
    assert wait_s(second.past.times + 1) == 2 * FIRST_S
    well = Worker(0, 3, LASTING_S, memory_bytes=200 * MIB)
    third = asked(well, past={0: second.past}, now_s=1_011.0 + LASTING_S)
    assert third is not None
    assert third.past.times == 0


def test_requests_and_age_come_to_everyone() -> None:
    """A successor that has answered its requests within seconds is no less due."""
    first = asked(Worker(0, 1, 5.0, requests=1_000), now_s=1_000.0)
    assert first is not None
    assert asked(Worker(0, 2, 5.0, requests=1_000), past={0: first.past}, now_s=1_005.0) is not None


workers = st.builds(
    Worker,
    slot=st.integers(0, 20),
    generation=st.integers(1, 9),
    age_s=st.floats(0, 8_000),
    memory_bytes=st.integers(0, 200 * MIB),
    requests=st.integers(0, 2_000),
    silent_s=st.floats(0, 60),
)


@given(st.lists(workers, max_size=20, unique_by=lambda worker: worker.slot))
def test_only_who_is_past_nine_tenths_is_due(drawn: list[Worker]) -> None:
    """Who is due is past 90 % of a limit; where one is past a whole limit, somebody is due."""
    found = asked(*drawn)
    reached = {
        worker.slot: (
            worker.silent_s / CARE.deaf,
            worker.memory_bytes / CARE.memory,  # type: ignore[operator]
            worker.requests / CARE.max_requests,  # type: ignore[operator]
            worker.age_s / CARE.max_age,
        )
        for worker in drawn
    }
    if found is not None:
        assert reached[found.slot][REASONS.index(found.why)] >= 1 - JITTER
    assert found is not None or all(max(shares) < 1 for shares in reached.values())
