"""Memory and processor by part, against real processes that take a known amount."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from holdfast.proof.machine import Group, Groups, Machine, foreign_share, spare_pages
from tests.helpers import wait_until

MIB = 1 << 20
TAKER = """
import sys
taken = bytearray(b"x") * int(sys.argv[1])
print("taken", flush=True)
sys.stdin.read()
"""
BURNER = "while True: pass"


@contextmanager
def child(code: str, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    argv = [sys.executable, "-S", "-c", code, *arguments]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            yield process
        finally:
            process.kill()


@contextmanager
def taker(size: int) -> Iterator[subprocess.Popen[bytes]]:
    with child(TAKER, str(size)) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"taken\n"
        yield process


def machine(total_s: float, busy_s: float, programs_s: float, stolen_s: float) -> Machine:
    return Machine(0, 0, 0, busy_s, total_s, {}, programs_s, stolen_s)


@pytest.mark.parametrize(
    ("later", "own_s", "share"),
    [
        pytest.param((100.0, 80.0, 60.0, 0.0), 60.0, 0.0, id="all its own"),
        pytest.param((100.0, 80.0, 60.0, 0.0), 20.0, 0.4, id="other programs"),
        pytest.param((100.0, 80.0, 60.0, 10.0), 60.0, 0.1, id="the host"),
        pytest.param((100.0, 80.0, 60.0, 0.0), 75.0, 0.0, id="softirqs charged to its own"),
        pytest.param((0.0, 0.0, 0.0, 0.0), 0.0, 0.0, id="no time passed"),
    ],
)
def test_what_others_took_is_not_the_runs_nor_the_kernels(
    later: tuple[float, float, float, float], own_s: float, share: float
) -> None:
    """Processes' time that is not the run's own is foreign, and stolen time; softirqs are not."""
    before = (1000.0, 500.0, 400.0, 5.0)
    after = machine(*(old + new for old, new in zip(before, later, strict=True)))
    assert foreign_share(machine(*before), after, own_s) == pytest.approx(share)


@pytest.mark.slow
def test_a_busy_process_is_foreign_unless_it_is_named() -> None:
    """A process's time is other programs', and is not once it is counted as the run's own."""
    group, before = Group(), Machine.read()
    with child(BURNER) as process:
        wait_until(lambda: group.read([process.pid]).cpu_s >= 0.5)
        own_s = group.read([process.pid]).cpu_s
        after = Machine.read()
    alone = foreign_share(before, after, 0.0)
    assert alone >= own_s / (after.total_s - before.total_s) * 0.9  # ticks are coarse
    assert foreign_share(before, after, own_s) < alone


@pytest.mark.slow
def test_memory_is_told_by_group() -> None:
    """A group's memory is that of its processes, and of nobody else."""
    groups = Groups()
    with taker(64 * MIB) as big, taker(1) as small:
        used = groups.read({"workers": [big.pid], "other": [small.pid], "none": []})
        assert 64 * MIB < used["workers"].bytes < 80 * MIB
        assert used["other"].bytes < 16 * MIB
        assert (used["none"].bytes, used["none"].processes) == (0, 0)
        both = groups.read({"workers": [big.pid, small.pid]})["workers"]
        assert both.bytes == used["workers"].bytes + used["other"].bytes


@pytest.mark.slow
def test_the_machine_grows_by_what_a_process_takes() -> None:
    """What a process takes is missing from what is available."""

    def growth() -> int:
        before = Machine.read()
        with taker(512 * MIB):
            return Machine.read().growth_bytes(before)

    # Others may take and give back memory at the same time, but not every time.
    wait_until(lambda: 384 * MIB < growth() < 768 * MIB)


def test_free_pages_that_processors_keep_are_summed() -> None:
    """Each `count:` of any zone and processor is free pages; `high:` and the rest are not."""
    zone = "Node 0, zone {}\n  pages free 9\n{}"
    cpu = "    cpu: {}\n              count:    {}\n              high:     77\n"
    text = zone.format("DMA", cpu.format(0, 1)) + zone.format(
        "Normal", cpu.format(0, 20) + cpu.format(1, 300)
    )
    assert spare_pages(text) == 321


@pytest.mark.slow
def test_the_kernels_part_grows_with_sockets() -> None:
    """What waits unread in TCP sockets is the kernel's memory."""

    def growth() -> int:
        before = Machine.read()
        with ExitStack() as cleanup, socket.create_server(("127.0.0.1", 0)) as server:
            for _ in range(400):
                client = cleanup.enter_context(socket.create_connection(server.getsockname()))
                cleanup.enter_context(server.accept()[0])
                client.send(b"x" * 30_000)
            return Machine.read().kernel_bytes - before.kernel_bytes

    # Other sockets of this machine may empty at the same time, but not every time.
    wait_until(lambda: growth() > 400 * 30_000)


@pytest.mark.slow
def test_processor_seconds_outlive_their_process() -> None:
    """What a process used stays in its group's sum after it has gone."""
    group = Group()
    with child(BURNER) as process:
        wait_until(lambda: group.read([process.pid]).cpu_s >= 0.1)
    used = group.read([process.pid])
    assert used.cpu_s >= 0.1
    assert (used.processes, used.bytes) == (0, 0)


@pytest.mark.slow
def test_a_busy_processor_is_seen() -> None:
    """The machine's busy part is at least what one process burnt."""
    group, before = Group(), Machine.read()
    with child(BURNER) as process:
        wait_until(lambda: group.read([process.pid]).cpu_s >= 0.3)
        after = Machine.read()
    used_s = after.busy(before) * (after.total_s - before.total_s)
    assert used_s >= 0.2
    assert 0.0 < after.busy(before) <= 1.0
    assert before.busy(before) == 0.0


def test_a_stopped_process_is_seen() -> None:
    """A process that was stopped by a signal counts as stopped until it goes on."""
    group = Group()
    with taker(1) as process:
        assert group.read([process.pid]).stopped == 0
        os.kill(process.pid, signal.SIGSTOP)
        wait_until(lambda: group.read([process.pid]).stopped == 1)
        os.kill(process.pid, signal.SIGCONT)
        wait_until(lambda: group.read([process.pid]).stopped == 0)


def test_a_process_that_never_was_uses_nothing() -> None:
    """A process id that is gone adds nothing, and raises nothing."""
    assert Group().read([2**22 + 1]).processes == 0
