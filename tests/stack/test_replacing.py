"""A worker that dies: what is lost, and who takes its place."""

from __future__ import annotations

import contextlib
import os
import select
import signal

import msgspec
import pytest

from holdfast.model.values import assumed
from holdfast.stack.config import EdgeConfig
from holdfast.worker.leaving import LINGER_S
from tests.edges import INSTALLED
from tests.helpers import wait_until
from tests.stack.driving import (
    BUSY,
    Client,
    Log,
    answered,
    crowd,
    running,
    wait_for_in_flight,
)
from tests.stack.edges import behind, open_sockets

pytestmark = pytest.mark.slow

FEW = 100
HOUR = assumed("dialler_idle_s", 3_600, "longer than a test waits")


def test_a_killed_worker_loses_only_what_is_inside_it() -> None:
    """Of 2,000 requests in flight those in the other worker are all answered."""
    with running() as stack, crowd(stack.port, BUSY) as clients:
        wait_for_in_flight(stack, BUSY)
        victim, other = stack.gauge.read()
        os.kill(victim.pid, signal.SIGKILL)
        log = Log(stack)
        (died,) = log.wait_for("died")
        assert (died.pid, died.status) == (victim.pid, -signal.SIGKILL)
        assert died.in_flight == victim.started - victim.finished
        assert stack.gauge.in_flight() == other.started - other.finished
        assert answered(clients) == BUSY - died.in_flight
        log.wait_for("ready", 3)
        assert [worker.generation for worker in stack.workers()] == [2, 1]
        with crowd(stack.port, 100) as later:
            assert answered(later) == 100


def test_queued_connections_are_answered_by_the_successor() -> None:
    """What waits in the accept queue of a worker that dies is served by the next one."""
    with running(slots=1) as stack:
        (worker,) = stack.workers()
        os.kill(worker.pid, signal.SIGSTOP)
        with crowd(stack.port, 200) as clients:
            os.kill(worker.pid, signal.SIGKILL)
            assert answered(clients) == 200
            assert stack.workers()[0].generation == 2


def test_connections_wait_while_there_is_no_worker() -> None:
    """Between a worker's death and its successor nobody is refused."""
    with running(slots=1) as stack:
        log = Log(stack)
        os.kill(stack.workers()[0].pid, signal.SIGKILL)
        log.wait_for("died")
        with crowd(stack.port, 200) as clients:
            assert answered(clients) == 200


def test_a_worker_that_keeps_dying_is_started_ever_later() -> None:
    """The first successor comes at once, the second after half a second, the third after one."""
    with running(slots=1) as stack:
        log = Log(stack)
        for count in range(1, 4):
            os.kill(log.wait_for("started", count)[-1].pid, signal.SIGKILL)
            log.wait_for("died", count)
        delays = [event.delay_s for event in log.wait_for("backoff", 3)]
        assert delays == pytest.approx([0.0, 0.5, 1.0], abs=0.05)


def test_a_worker_that_is_told_to_stop_finishes_and_is_replaced() -> None:
    """SIGTERM to a worker loses none of its requests, and its slot serves on."""
    with running(slots=1) as stack, crowd(stack.port, 200) as clients:
        wait_for_in_flight(stack, 200)
        os.kill(stack.workers()[0].pid, signal.SIGTERM)
        assert answered(clients) == 200
        log = Log(stack)
        (died,) = log.wait_for("died")
        assert (died.status, died.in_flight) == (0, 0)
        wait_until(lambda: stack.workers()[0].state == "ready")
        with crowd(stack.port, 20) as later:
            assert answered(later) == 20


def test_a_worker_is_replaced_on_request_without_a_gap() -> None:
    """Asked for, a second worker serves before the first one drains; 200 held are answered."""
    with running(slots=1) as stack, crowd(stack.port, 200) as clients:
        wait_for_in_flight(stack, 200)
        log = Log(stack)
        stack.replace(0)
        (draining,) = log.wait_for("draining")
        assert [event.generation for event in log.of("ready")] == [1, 2]
        assert draining.generation == 1
        with crowd(stack.port, 20) as later:
            assert answered(later) == 20
        assert answered(clients) == 200
        (stopped,) = log.wait_for("stopped")
        assert (stopped.generation, stopped.status, log.of("died")) == (1, 0, [])
        assert [worker.state for worker in stack.workers()] == ["ready"]


def test_a_replacement_that_dies_leaves_the_first_where_it_was() -> None:
    """The present worker drains for nobody but a successor that answers, and may be asked again."""
    with running(slots=1) as stack:
        log = Log(stack)
        stack.replace(0)
        os.kill(log.wait_for("started", 2)[-1].pid, signal.SIGKILL)
        (kept,) = log.wait_for("kept")
        assert kept.generation == 1
        with crowd(stack.port, 20) as clients:
            assert answered(clients) == 20
        assert [(w.generation, w.state) for w in stack.workers()] == [(1, "ready")]
        stack.replace(0)
        (stopped,) = log.wait_for("stopped")
        assert stopped.generation == 1
        assert [event.generation for event in log.of("ready")] == [1, 3]


def test_a_stop_during_a_replacement_ends_both_workers() -> None:
    """Told to stop while two generations run, the stack finishes what both hold."""
    with running(slots=1) as stack, crowd(stack.port, 50) as clients:
        wait_for_in_flight(stack, 50)
        log = Log(stack)
        stack.replace(0)
        log.wait_for("draining")
        os.kill(stack.supervisor_pid, signal.SIGTERM)
        log.wait_for("draining", 2)
        assert answered(clients) == 50
        wait_until(lambda: not stack.is_alive())
        assert stack.stop() == 0
        assert {event.generation for event in log.of("stopped")} == {1, 2}


def test_a_draining_worker_leaves_idle_connections_to_the_edge() -> None:
    """On slots, who dials may still ask on a kept connection: answered, and told to close."""
    with running(slots=1, listen="slots") as stack:
        kept = Client(os.path.join(stack.serving.run_dir, "slot-0.sock"))
        with contextlib.closing(kept.socket):
            former = stack.workers()[0].pid
            kept.ask()
            kept.finish()
            assert int(kept.read()[2]) == former
            log = Log(stack)
            stack.replace(0)
            log.wait_for("draining")
            readable, _, _ = select.select([kept.socket], [], [], 10 * LINGER_S)
            assert readable == []
            kept.ask()
            kept.finish()
            status, headers, body = kept.read()
            assert (status, headers["connection"], int(body)) == (200, "close", former)
        (stopped,) = log.wait_for("stopped")
        assert (stopped.pid, stopped.status) == (former, 0)


@pytest.mark.skipif(not INSTALLED["haproxy"], reason="haproxy is not installed")
def test_haproxy_lets_go_of_a_worker_that_is_replaced() -> None:
    """Idle connections that it would keep for an hour end once another worker has the slot."""
    fields = behind("haproxy")
    hop = fields["edge"].hop
    links = [msgspec.structs.replace(link, dialler_idle_s=HOUR) for link in hop.links]
    kept = msgspec.structs.replace(hop, links=tuple(links))
    fields |= {"edge": EdgeConfig(kept), "slots": 1, "dialler_idle_s": HOUR.number}
    with running(**fields, grace_s=60.0) as stack:
        former = stack.workers()[0].pid
        at_rest = open_sockets(former)
        with crowd(stack.port, FEW) as clients:
            assert answered(clients) == FEW
        assert open_sockets(former) > at_rest
        stack.replace(0)
        (stopped,) = Log(stack).wait_for("stopped")
        assert (stopped.pid, stopped.status) == (former, 0)
