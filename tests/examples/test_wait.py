"""The plain app that waits: over real HTTP, and its alarm alone."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
import uvloop

from tests.examples.running import ask, dial, get, hear, load, raise_nofile, running_app


@pytest.mark.slow
def test_it_waits_and_answers(tmp_path: Path) -> None:
    """A request is answered 200 with a fixed text that says its length."""
    with running_app("wait:app", tmp_path, {"WAIT_MEAN_S": "0.01"}) as app:
        reply = get(app.ports[0], "/anything")
    assert (reply.status, reply.body, reply.headers["content-length"]) == (200, b"waited\n", "7")


@pytest.mark.slow
def test_health_is_answered_while_two_thousand_wait(tmp_path: Path) -> None:
    """2,000 requests that wait do not hold up `/health`."""
    raise_nofile()
    with running_app("wait:app", tmp_path, {"WAIT_MEAN_S": "600"}) as app:
        clients = [dial(app.ports[0]) for _ in range(2_000)]
        for client in clients:
            ask(client, "/")
        assert get(app.ports[0], "/health").status == 200
        for client in clients:
            client.close()
        app.process.kill()
        app.process.wait()
        assert app.stderr.read_text() == ""


@pytest.mark.slow
def test_two_thousand_that_wait_are_all_answered(tmp_path: Path) -> None:
    """2,000 requests at once are 2,000 answers."""
    raise_nofile()
    with running_app("wait:app", tmp_path, {"WAIT_MEAN_S": "0.5"}) as app:
        clients = [dial(app.ports[0]) for _ in range(2_000)]
        for client in clients:
            ask(client, "/")
        statuses = [hear(client).status for client in clients]
        for client in clients:
            client.close()
    assert statuses == [200] * 2_000


@pytest.mark.slow
def test_the_lifespan_ends_without_complaint(tmp_path: Path) -> None:
    """With `--lifespan on` the app starts and, told to stop, says nothing."""
    with running_app("wait:app", tmp_path) as app:
        app.process.terminate()
        app.process.wait()
    assert app.stderr.read_text() == ""


def test_waits_end_in_the_order_in_which_they_are_due() -> None:
    """A later, shorter wait ends before an earlier, longer one; a cancelled one disturbs none."""
    alarm = load("wait/wait.py").Alarm()
    ended: list[str] = []

    async def wait(name: str, delay_s: float) -> None:
        await alarm.after(delay_s)
        ended.append(name)

    async def main() -> None:
        tasks = {
            n: asyncio.create_task(wait(n, s)) for n, s in [("c", 0.03), ("a", 0), ("b", 0.01)]
        }
        cancelled = asyncio.create_task(wait("cancelled", 0.01))
        await asyncio.sleep(0)
        cancelled.cancel()
        await asyncio.gather(*tasks.values())

    asyncio.run(main())
    assert ended == ["a", "b", "c"]


@pytest.mark.parametrize("policy", ["asyncio", "uvloop"])
def test_a_wait_may_begin_while_another_is_overdue(policy: str) -> None:
    """On either loop: a timer that is due already, and waits that come before it rings."""
    alarm = load("wait/wait.py").Alarm()
    loop = asyncio.new_event_loop() if policy == "asyncio" else uvloop.new_event_loop()

    async def waits() -> None:
        overdue = [alarm.after(-delay_s) for delay_s in (1.0, 2.0, 0.5)]
        await asyncio.wait_for(asyncio.gather(*overdue, alarm.after(0.0)), 30)

    try:
        loop.run_until_complete(waits())
    finally:
        loop.close()
