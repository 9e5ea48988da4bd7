"""Law 5: what workers and edges really run with, beside what was asked for."""

from __future__ import annotations

import contextlib
import ctypes
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from holdfast.model.values import Value, compared, derived, observed
from holdfast.sizing.layout import Program
from holdfast.stack.differences import Difference, differences
from holdfast.stack.process import StackProcess
from holdfast.stack.register import find_stack
from tests.edges import PROGRAMS
from tests.stack.driving import config, running
from tests.stack.edges import SLOTS, behind

pytestmark = pytest.mark.slow

CUT = 64
"""A limit so small that every plan here asks for more."""
_NEWNET = 0x40000000


@contextlib.contextmanager
def own_network(somaxconn: int) -> Iterator[None]:
    """What is started meanwhile has a loopback of its own, and this cap of every backlog."""
    libc = ctypes.CDLL(None, use_errno=True)
    with open("/proc/thread-self/ns/net") as ours:
        if libc.unshare(_NEWNET):
            pytest.skip(f"no network namespace: {os.strerror(ctypes.get_errno())}")
        try:
            subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
            Path("/proc/sys/net/core/somaxconn").write_text(str(somaxconn))
            yield
        finally:
            assert libc.setns(ours.fileno(), _NEWNET) == 0


def lower_nofile(pid: int) -> None:
    """Lower the soft limit as whoever the process runs as, which root without capabilities may."""
    owner = os.stat(f"/proc/{pid}")
    argv = ["prlimit", f"--pid={pid}", f"--nofile={CUT}:"]
    ids = {"user": owner.st_uid, "group": owner.st_gid, "extra_groups": []}
    subprocess.run(argv, check=True, **(ids if owner.st_uid != os.geteuid() else {}))


def told(values: tuple[Value, ...], setting: str) -> list[Difference]:
    """The differences, all of which are of one setting."""
    found = differences(values)
    assert {value.setting for value in values if value.configured is not None} <= {setting}
    return list(found)


@pytest.mark.parametrize("setting", ["nofile", "ulimit_n", "worker_rlimit_nofile"])
def test_more_descriptors_are_no_difference(setting: str) -> None:
    """Fewer than was asked for are; a worker of nginx has more until it has set its own limit."""
    wanted = derived(setting, 2_435, "asked for")
    read = {files: compared(observed(setting, files, "read"), wanted) for files in (20_000, 2_434)}
    assert {files: value.configured for files, value in read.items()} == {
        20_000: None,
        2_434: wanted,
    }


@pytest.mark.parametrize("listen", ["tcp", "slots"])
def test_workers_run_with_what_was_asked(listen: str) -> None:
    """Each worker's descriptors and each socket's backlog are reported, and nothing differs."""
    with running(listen=listen, backlog=512) as stack:
        at_start = stack.effective_at_start()
        settings = [value.setting for value in at_start]
        assert settings == ["nofile"] * SLOTS + ["backlog"] * SLOTS + ["somaxconn"]
        assert {v.value for v in at_start if v.setting == "backlog"} == {512}
        assert differences(at_start) == differences(stack.effective()) == ()


@pytest.mark.parametrize("listen", ["tcp", "slots"])
def test_a_backlog_that_the_kernel_cuts_is_told_at_the_start(listen: str) -> None:
    """With a small somaxconn each of the workers' sockets has less room than was asked for."""
    with own_network(CUT), StackProcess(config(listen=listen)) as stack:
        stack.start()
        stack.wait_until_ready(60)
        (difference,) = told(stack.effective_at_start(), "backlog")
        assert difference.fault == f"`backlog` is {CUT}, and 2048 was asked for"
        assert "somaxconn=2048" in difference.hint
        assert stack.serving.backlog == CUT


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_cut_backlog_of_an_edge_is_told_beside_the_workers(program: Program) -> None:
    """The edge's sockets and the slots' are told apart by what was asked of each."""
    with own_network(CUT), StackProcess(config(**behind(program))) as stack:
        stack.start()
        stack.wait_until_ready(60)
        found = told(stack.effective_at_start(), "backlog")
        assert len(found) == 2
        assert [d.fault.startswith(f"`backlog` is {CUT}, and") for d in found] == [True, True]
        assert stack.serving.backlog == CUT
        registered = find_stack("127.0.0.1", stack.port)
        assert registered is not None
        assert registered.slots_room == SLOTS * CUT


@pytest.mark.parametrize("listen", ["tcp", "slots"])
def test_a_worker_whose_descriptors_were_cut_is_told_on_request(listen: str) -> None:
    """One of two workers has fewer than it needs: one difference, at that process."""
    with running(listen=listen) as stack:
        pid = stack.workers()[1].pid
        lower_nofile(pid)
        (difference,) = told(stack.effective(), "nofile")
        assert difference.place == f"/proc/{pid}/limits"
        assert difference.fault == f"`nofile` is {CUT}, and 1024 was asked for"
        assert "LimitNOFILE=1024" in difference.hint


@pytest.mark.parametrize("program", PROGRAMS)
def test_an_edge_whose_descriptors_were_cut_is_told_on_request(program: Program) -> None:
    """A process of nginx or HAProxy that has fewer descriptors than its file asks for."""
    setting = {"nginx": "worker_rlimit_nofile", "haproxy": "ulimit_n"}[program]
    with running(**behind(program)) as stack:
        kinds = {"nginx": "edge_worker_started", "haproxy": "edge_started"}
        pid = next(e.pid for e in stack.edge_events() if e.kind == kinds[program])
        lower_nofile(pid)
        (difference,) = told(stack.effective(), setting)
        assert difference.place == f"/proc/{pid}/limits"
        assert difference.fault.startswith(f"`{setting}` is {CUT}, and ")
