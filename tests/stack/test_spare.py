"""Spare slots before a real nginx.

HAProxy takes a server without checks for one that is there, and gives it its share.
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from holdfast.sizing.edge import size_edge
from holdfast.sizing.layout import EdgeLayout, Program
from holdfast.stack.process import StackProcess
from holdfast.stack.slot_sockets import slot_path
from holdfast.writers import nginx
from holdfast.writers.site import Site
from tests.edges import INSTALLED, PROGRAMS, demand, host
from tests.helpers import free_port, wait_until
from tests.stack.driving import answered, crowd, running
from tests.stack.edges import UNBUFFERED

pytestmark = [pytest.mark.slow, pytest.mark.parametrize("program", PROGRAMS[:1])]

FEW = 200


@contextlib.contextmanager
def edge(
    program: Program, folder: Path, slots: list[Path], spare: tuple[Path, ...] = ()
) -> Iterator[int]:
    """The program before these sockets, sized for 2,000 in flight; its port."""
    hop = size_edge(demand(), host(), EdgeLayout(program, "", front=UNBUFFERED), len(slots))
    port, own = free_port(), folder / "edge"
    own.mkdir()
    site = Site((f"127.0.0.1:{port}",), tuple(map(str, slots)), tuple(map(str, spare)))
    for name, text in nginx.render(hop, site).items():
        (own / name).write_text(text)
    user = ["-g", "user root;"] if os.geteuid() == 0 else []
    argv = [str(INSTALLED[program]), "-p", ".", "-c", "edge/nginx.conf", "-e", "stderr", *user]
    process = subprocess.Popen(argv, cwd=folder)
    try:
        wait_until(lambda: socket.socket().connect_ex(("127.0.0.1", port)) == 0)
        yield port
    finally:
        process.terminate()
        process.wait()


def begun(stack: StackProcess) -> list[int]:
    return [row.started for row in stack.gauge.read()]


def paths(stack: StackProcess, slots: int) -> list[Path]:
    return [Path(stack.serving.run_dir, slot_path(slot)) for slot in range(slots)]


def test_a_spare_slot_takes_over_when_no_other_answers(program: Program, tmp_path: Path) -> None:
    """Once the slots' sockets are gone every request goes to the spare one, and none fails."""
    with running(listen="slots", slots=1) as other, contextlib.ExitStack() as undo:
        stack = undo.enter_context(running(listen="slots"))
        slots = paths(stack, 2)
        with edge(program, tmp_path, slots, tuple(paths(other, 1))) as port:
            with crowd(port, FEW) as clients:
                assert answered(clients) == FEW
            assert (sum(begun(stack)), begun(other)) == (FEW, [0])
            undo.close()
            with crowd(port, FEW) as clients:
                assert answered(clients) == FEW
            assert begun(other) == [FEW]
