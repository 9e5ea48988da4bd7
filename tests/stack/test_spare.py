"""Spare slots behind a real nginx, and behind a HAProxy that checks.

Without checks HAProxy takes a server for one that is there, and gives it its share.
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from holdfast.model.front.body import Body
from holdfast.model.front.checks import Checks
from holdfast.model.front.front import Front
from holdfast.sizing.edge import size_edge
from holdfast.sizing.layout import EdgeLayout, Program
from holdfast.stack.process import StackProcess
from holdfast.stack.slot_sockets import slot_path
from holdfast.writers import haproxy, nginx
from holdfast.writers.site import Site
from tests.edges import INSTALLED, PROGRAMS, demand, host
from tests.helpers import free_port, wait_until
from tests.stack.driving import answered, crowd, running
from tests.stack.edges import UNBUFFERED

pytestmark = pytest.mark.slow
NGINX, HAPROXY = (pytest.mark.parametrize("program", [one]) for one in PROGRAMS)

FEW = 200
CHECKED = Front(body=Body(buffered=False), checks=Checks("/", interval=0.2, timeout=1.0, fall=1))
ARGV = {
    "nginx": ["-p", ".", "-c", "edge/nginx.conf", "-e", "stderr"],
    "haproxy": ["-db", "-f", "edge/haproxy-0.cfg"],
}
WRITERS = {"nginx": nginx.render, "haproxy": haproxy.render}


@contextlib.contextmanager
def edge(
    program: Program, folder: Path, slots: list[Path], spare: tuple[Path, ...] = ()
) -> Iterator[int]:
    """The program before these sockets, sized for 2,000 in flight; its port."""
    front = CHECKED if program == "haproxy" else UNBUFFERED
    hop = size_edge(demand(), host(), EdgeLayout(program, "", front=front), len(slots))
    port, own = free_port(), folder / "edge"
    own.mkdir()
    site = Site((f"127.0.0.1:{port}",), tuple(map(str, slots)), tuple(map(str, spare)), front=front)
    for name, text in WRITERS[program](hop, site).items():
        (own / name).write_text(text)
    user = ["-g", "user root;"] if os.geteuid() == 0 and program == "nginx" else []
    argv = [str(INSTALLED[program]), *ARGV[program], *user]
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


@NGINX
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


@HAPROXY
def test_haproxy_asks_a_spare_slot_once_the_others_are_down(
    program: Program, tmp_path: Path
) -> None:
    """While they are up it gets checks alone; once they are gone, every request, and none fails."""
    with running(listen="slots", slots=1) as other, contextlib.ExitStack() as undo:
        stack = undo.enter_context(running(listen="slots"))
        slots = paths(stack, 2)
        with edge(program, tmp_path, slots, tuple(paths(other, 1))) as port:
            with crowd(port, FEW) as clients:
                wait_until(lambda: stack.gauge.in_flight() >= FEW)
                assert answered(clients) == FEW
            undo.close()
            wait_until(lambda: is_answered(port))
            with crowd(port, FEW) as clients:
                wait_until(lambda: other.gauge.in_flight() >= FEW)
                assert answered(clients) == FEW


def is_answered(port: int) -> bool:
    with crowd(port, 1) as clients:
        return answered(clients) == 1
