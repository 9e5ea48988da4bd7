"""Law 3 of what an edge takes for itself: exactly as many sockets and descriptors as was said."""

from __future__ import annotations

import os
from random import Random

import pytest

from holdfast.model.values import Scalar
from holdfast.programs import haproxy, nginx
from tests.helpers import wait_until
from tests.law3.needs import needs
from tests.law3.running import Running, running
from tests.law3.stacks import Stack, path

pytestmark = [needs, pytest.mark.slow]


def descriptors(run: Running) -> set[int]:
    """How many descriptors each process of a resting edge has open."""
    wait_until(run.rests, what="the edge has nothing to do")
    return {len(os.listdir(f"/proc/{pid}/fd")) for pid in run.edge_workers()}


def test_haproxy_counts_its_sockets_as_was_said(seed: int) -> None:
    """`maxsock` and its descriptors, by `maxconn`, listeners, threads and a command-line socket."""
    draw = Random(seed)
    settings: dict[str, Scalar] = {"maxconn": draw.randint(50, 200), "server_maxconn": 40}
    more = {"nbthread": draw.randint(1, 4), "listeners": draw.randint(1, 3)}
    stack = Stack("", path("haproxy", settings | more))
    hop, host = stack.path.hop("edge"), stack.path.hosts[0]
    with running(stack.path, stack.demand(1)) as run:
        said = dict(line.split(": ", 1) for line in run.says("show info").splitlines() if line)
        maxsock = 2 * int(said["Maxconn"]) + haproxy.counted_for_itself(hop, host)
        assert int(said["Maxsock"]) == maxsock, stack.settings()
        own = haproxy.own_descriptors(hop, host)
        wait_until(lambda: descriptors(run) == {own}, what=f"{own} descriptors")


@pytest.mark.parametrize("reuseport", [False, True])
def test_nginx_has_as_many_descriptors_of_its_own_as_was_said(reuseport: bool, seed: int) -> None:
    """By its workers, listeners and log files; with `reuseport` each holds all listeners."""
    draw = Random(seed)
    settings: dict[str, Scalar] = {"log_files": draw.randint(0, 3), "reuseport": reuseport}
    listeners = {"listeners": draw.randint(1, 3)}
    stack = Stack("", path("nginx", settings | listeners, processes=draw.randint(1, 4)))
    own = nginx.own_descriptors(stack.path.hop("edge"))
    with running(stack.path, stack.demand(1)) as run:
        wait_until(lambda: descriptors(run) == {own}, what=f"{own} descriptors")
