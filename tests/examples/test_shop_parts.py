"""The shop's single flight and cache alone: plain values, a clock that the test turns."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tests.examples.running import load

shop = load("shop/shop.py")


class Gate:
    """A call that ends when the test says so, and counts how often it was made."""

    def __init__(self) -> None:
        self.calls = 0
        self.outcome: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def call(self, key: str) -> str:
        self.calls += 1
        return await self.outcome


def run(scenario: Callable[[], Awaitable[None]]) -> list[dict[str, Any]]:
    """Run a scenario to its end; returns what asyncio had to complain of."""
    complaints: list[dict[str, Any]] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: complaints.append(context))
        await scenario()
        gc.collect()

    asyncio.run(main())
    return complaints


def test_a_waiter_that_is_cancelled_disturbs_no_other() -> None:
    """Cancelling the task that began the call leaves the call and the second waiter alone."""

    async def scenario() -> None:
        gate = Gate()
        flight = shop.SingleFlight(gate.call)

        async def wait() -> str:
            value: str = await flight.get("k")
            return value

        first, second = asyncio.create_task(wait()), asyncio.create_task(wait())
        await asyncio.sleep(0)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        gate.outcome.set_result("v")
        assert await second == "v"
        assert (gate.calls, len(flight)) == (1, 0)

    assert run(scenario) == []


def test_a_call_whose_waiters_have_all_left_still_ends_and_leaves_nothing() -> None:
    """With every waiter cancelled the call goes on, and its entry goes when it ends."""

    async def scenario() -> None:
        gate = Gate()
        flight = shop.SingleFlight(gate.call)
        waiter = flight.get("k")
        await asyncio.sleep(0)
        waiter.cancel()
        assert len(flight) == 1
        gate.outcome.set_exception(OSError("down"))
        for _ in range(3):
            await asyncio.sleep(0)
        assert len(flight) == 0

    assert run(scenario) == []


def test_a_failure_is_shared_and_not_kept() -> None:
    """All who wait for a call get its failure; who comes after makes a new call."""

    async def scenario() -> None:
        gate = Gate()
        flight = shop.SingleFlight(gate.call)
        waiters = [flight.get("k") for _ in range(3)]
        gate.outcome.set_exception(OSError("down"))
        for waiter in waiters[:2]:
            with pytest.raises(OSError, match="down"):
                await waiter
        gate.outcome = asyncio.get_running_loop().create_future()
        gate.outcome.set_result("up")
        assert await flight.get("k") == "up"
        assert (gate.calls, len(flight)) == (2, 0)

    assert run(scenario) == []


def test_different_keys_are_different_calls() -> None:
    """Only the same key shares."""

    async def scenario() -> None:
        gate = Gate()
        flight = shop.SingleFlight(gate.call)
        waiters = [flight.get("a"), flight.get("b"), flight.get("a")]
        gate.outcome.set_result("v")
        assert [await waiter for waiter in waiters] == ["v"] * 3
        assert gate.calls == 2

    assert run(scenario) == []


def test_a_process_that_stops_cancels_those_who_wait() -> None:
    """When the call's own task is cancelled, its waiters are too, and nothing is left."""

    async def scenario() -> None:
        flight = shop.SingleFlight(Gate().call)
        waiter = flight.get("k")
        await asyncio.sleep(0)
        (task,) = asyncio.all_tasks() - {asyncio.current_task()}
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiter
        assert len(flight) == 0

    assert run(scenario) == []


def test_a_value_is_kept_until_its_time_is_over() -> None:
    """A cached value is here up to its time to live, and not from then on."""
    now_s = 0.0
    cache = shop.Cache(10, 60.0, lambda: now_s)
    cache.put("k", "v")
    now_s = 59.9
    assert cache.get("k") == "v"
    now_s = 60.0
    assert cache.get("k") is None
    assert len(cache) == 0


def test_a_full_cache_gives_up_what_was_used_longest_ago() -> None:
    """The third of two values takes the place of the one that nobody asked for."""
    cache = shop.Cache(2, 60.0, lambda: 0.0)
    cache.put("a", 1)
    cache.put("b", 2)
    assert cache.get("a") == 1
    cache.put("c", 3)
    assert [cache.get(key) for key in "abc"] == [1, None, 3]
    assert len(cache) == 2
