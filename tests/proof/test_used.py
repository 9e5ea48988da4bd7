"""What a run uses of its limits, counted on real processes and sockets beside known numbers."""

from __future__ import annotations

import os
import socket
from pathlib import Path as FilePath

import pytest

from holdfast.model.holding import UNLIMITED
from holdfast.model.limit import Holds
from holdfast.model.path import Demand, Hop, Kind, Path
from holdfast.model.values import derived
from holdfast.programs import uvicorn
from holdfast.proof.planned import planned_path, with_used
from holdfast.proof.used import busiest, connections, largest, open_descriptors, read_counts


def listed() -> int:
    return len(os.listdir("/proc/self/fd")) - 1  # but for the one that it lists with


def test_descriptors_are_counted_as_they_are_opened() -> None:
    """Ten more descriptors are counted as ten more, and the count is that of the folder."""
    before = open_descriptors(os.getpid(), may_list=True)
    opened = [os.open("/dev/null", os.O_RDONLY) for _ in range(10)]
    try:
        after = open_descriptors(os.getpid(), may_list=True)
        assert before is not None
        assert after == before + 10
        assert after - listed() in (0, 1)  # a kernel that must be listed counts the listing too
    finally:
        for number in opened:
            os.close(number)


def test_a_process_that_is_gone_has_no_count() -> None:
    """A pid that nobody has is left out, and so is a hop without a process."""
    nobody = int(FilePath("/proc/sys/kernel/pid_max").read_text()) + 1
    assert open_descriptors(nobody, may_list=True) is None
    found = read_counts({"workers": [nobody], "upstream": []}, {}, is_last=True)
    assert {hop for hop, _ in found} <= {"kernel"}


def test_the_fullest_address_of_a_service_is_counted_at_the_last_look() -> None:
    """Of two addresses with three and one connection three count, and only when it is the last."""
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as b:
        ports = [server.getsockname()[1] for server in (one, b)]
        clients = [socket.create_connection(("127.0.0.1", port)) for port in (ports[0],) * 3]
        clients.append(socket.create_connection(("127.0.0.1", ports[1])))
        try:
            assert [connections(port) for port in ports] == [3, 1]
            last = read_counts({}, {"upstream": ports}, is_last=True)
            other = read_counts({}, {"upstream": ports}, is_last=False)
        finally:
            for client in clients:
                client.close()
    assert last["upstream", "ports"] == 3
    assert ("upstream", "ports") not in other


def test_open_files_of_the_host_are_counted() -> None:
    """The host's open files are the first word of file-nr: more than this process has."""
    assert read_counts({}, {}, is_last=False)["kernel", "open files"] >= listed()


def test_the_busiest_process_counts() -> None:
    """Of two processes and a new one, the largest difference over the time that passed."""
    assert busiest({1: 10.0, 2: 5.0}, {1: 11.0, 2: 8.0, 3: 2.0}, 4.0) == 0.75
    assert busiest({}, {}, 4.0) == busiest({}, {1: 1.0}, 0.0) == 0.0


def test_the_largest_of_each_count_remains() -> None:
    """Counts that only some looks have are kept; of the others the largest."""
    looks = [{("a", "b"): 1.0}, {("a", "b"): 3.0, ("c", "d"): 2.0}, {("a", "b"): 2.0}]
    assert largest(looks) == {("a", "b"): 3.0, ("c", "d"): 2.0}


@pytest.mark.parametrize(("nofile", "capacity"), [(1100, 1100.0), (None, None)])
def test_a_plan_keeps_each_limit_beside_what_was_used(
    nofile: int | None, capacity: float | None
) -> None:
    """A limit has its unit and holds; unlimited is None, and so is what nobody measured."""
    demand = Demand(1000, (Kind("one", 1.0, 2.0, ()),))
    hop = Hop("workers", "uvicorn", "1", "here", 1, (derived("nofile", nofile, "told"),))
    (limit,) = uvicorn.limits(hop, Path((), (hop,)), demand)
    most = UNLIMITED if nofile is None else 1100
    plan = planned_path(demand, [(limit, Holds(most, most, most))], {"workers": 10.5})
    sure = None if nofile is None else 1100
    assert (plan.rate, plan.memory_bytes, plan.memory) == (500.0, 10, {"workers": 10})
    assert (plan.limits[0].capacity, plan.limits[0].unit) == (capacity, "descriptors")
    assert (plan.limits[0].sure, plan.limits[0].best, plan.limits[0].used) == (sure, sure, None)
    seen = with_used(plan, {("workers", "descriptors"): 1090, ("kernel", "memory"): 1})
    assert [limit.used for limit in seen.limits] == [1090]
