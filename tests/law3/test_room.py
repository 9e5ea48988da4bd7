"""Law 3 of those who wait: as many do as was said, and the next one more is not let in to wait."""

from __future__ import annotations

from random import Random

import pytest

from holdfast.model.limit import Act
from holdfast.model.values import Scalar
from tests.law3.measure import EXCESS
from tests.law3.needs import needs
from tests.law3.predictions import walls
from tests.law3.pushed import pushed
from tests.law3.stacks import Stack, path

pytestmark = [needs, pytest.mark.slow]


def narrow(program: str, **settings: Scalar) -> Stack:
    """An edge with a short accept queue."""
    return Stack("", path(program, settings))


@pytest.mark.parametrize("wall", ["maxconn", "frontend_maxconn", "descriptors"])
def test_the_accept_queue_of_a_full_edge_has_the_room_that_was_said(wall: str, seed: int) -> None:
    """Past the wall `room` clients wait in the accept queue; whoever is more does not connect."""
    draw = Random(f"{seed} {wall}")
    backlog = draw.randint(15, 40)
    stack = {
        "maxconn": narrow("haproxy", maxconn=40, backlog=backlog),
        "frontend_maxconn": narrow("haproxy", frontend_maxconn=draw.randint(20, 40), maxconn=90),
        "descriptors": narrow("nginx", worker_rlimit_nofile=80, backlog=backlog),
    }[wall]
    (limit, holds), *_ = walls(stack)
    room = limit.full.room
    assert (limit.resource, limit.full.act) == (wall, Act.QUEUES)

    with pushed(stack, may_wait=True) as clients:
        clients.open(holds.best)
        clients.settle()
        clients.open(room + EXCESS)
        clients.wait(
            lambda: (clients.run.waiting_at_edge(), clients.crowd.unconnected) == (room, EXCESS),
            f"{room} wait and {EXCESS} do not connect",
        )
        assert clients.run.in_flight() == holds.best, str(clients)
        clients.finish()
        assert clients.crowd.fates.total() == clients.asked
        assert not clients.crowd.failed or Act.REFUSES in limit.full.also, str(clients)


@pytest.mark.parametrize("let_in", ["maxconn", "frontend_maxconn"])
def test_haproxy_keeps_as_many_waiting_as_its_maxconn_leaves(let_in: str, seed: int) -> None:
    """Past a server's `maxconn` `room` wait in HAProxy, and the next ones in its accept queue."""
    most = Random(seed).randint(20, 40)
    clients_most: dict[str, Scalar] = {"maxconn": 120} | {let_in: 90}
    stack = narrow("haproxy", server_maxconn=most, timeout_queue_s=60, **clients_most)
    (limit, holds), *_ = walls(stack)
    room = limit.full.room

    with pushed(stack, may_wait=True) as clients:
        clients.open(holds.best + room + EXCESS)
        clients.settle()
        clients.wait(lambda: clients.run.queued() == room, f"{room} wait in HAProxy")
        assert clients.run.in_queue(clients.run.listens[0]) == EXCESS, str(clients)
        assert clients.run.in_flight() == holds.best, str(clients)
        clients.finish()
        assert clients.crowd.fates == {"200": clients.asked}
