"""Clients that reset their connection amid an answer, and what is left of them."""

from __future__ import annotations

import contextlib
import socket
import struct
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from holdfast.sizing.layout import Program
from holdfast.stack.process import StackProcess
from holdfast.wire import ENGINES
from tests.edges import PROGRAMS
from tests.helpers import wait_until
from tests.stack.driving import Client, running, wait_for_in_flight
from tests.stack.edges import behind, open_sockets
from tests.stack.engines import capped

APPS = {"ASGI": "lasting_asgi:app", "Tornado": "lasting_tornado:app", "WSGI": "lasting_wsgi:app"}
AT_ONCE = 20
KEPT = 4
"""Idle connections between an edge and a worker that the last ones may leave."""
A_REQUEST = 8_192
"""Bytes: less than any engine takes for a request that it holds (docs/design/0018)."""
LARGE = 128 * 65_536
"""Bytes of the large answer; its chunks' own lines come besides."""
NOW = struct.pack("ii", 1, 0)
"""SO_LINGER: a close throws away what is not read, and sends a reset."""
DIRECT: Program | None = None


def ways(engines: Iterator[str] | tuple[str, ...]) -> list[Any]:
    """Each engine without an edge, and the first one behind each edge."""
    made = [pytest.param(engine, DIRECT, id=f"{engine}-direct") for engine in engines]
    for program in PROGRAMS:
        name = program.values[0]
        made.append(pytest.param("uvicorn", name, marks=program.marks, id=f"uvicorn-{name}"))
    return made


def asked(port: int) -> socket.socket:
    """A client with little room that has asked for a large answer."""
    client = socket.socket()
    client.settimeout(30)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    client.connect(("127.0.0.1", port))
    client.sendall(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
    return client


def reset_amid(port: int, count: int) -> None:
    """So many clients at once that each read the beginning of a large answer and leave."""
    for client in [asked(port) for _ in range(count)]:
        assert client.recv(64).startswith(b"HTTP/1.1 200")
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NOW)
        client.close()


def resident(pids: tuple[int, ...]) -> int:
    """Bytes of memory that the processes have to themselves."""
    lines = [Path(f"/proc/{pid}/status").read_text().partition("RssAnon:")[2] for pid in pids]
    return sum(int(line.split()[0]) for line in lines) * 1_024


def serving(engine: str, program: Program | None) -> AbstractContextManager[StackProcess]:
    """One worker of the engine, behind the edge if there is one."""
    told = capped(engine, 50)
    if program is not None:
        told = {**told, **behind(program)}
    return running(APPS[ENGINES[engine].interface], **{**told, "slots": 1})


def check_resets(engine: str, program: Program | None, count: int) -> None:
    """After so many nothing is left: no place of the gauge, no descriptor, no memory for each."""
    with serving(engine, program) as stack:
        pids = (*(worker.pid for worker in stack.workers()), *stack.edge_pids())
        before = sum(map(open_sockets, pids))
        half = count // 2
        for index in range(0, count, AT_ONCE):
            if index == half - half % AT_ONCE:
                wait_for_in_flight(stack, 0)
                taken = resident(pids)
            reset_amid(stack.port, AT_ONCE)
        wait_for_in_flight(stack, 0)
        wait_until(lambda: sum(map(open_sockets, pids)) <= before + KEPT, what="no socket left")
        assert resident(pids) - taken < half * A_REQUEST
        check_serves(stack)
        assert sum(row.started for row in stack.gauge.read()) == count + 1


def check_slow_readers(engine: str, program: Program | None) -> None:
    """Some do not read: the next clients are answered, and one that reads at last has it all."""
    with serving(engine, program) as stack, contextlib.ExitStack() as undo:
        slow = [undo.enter_context(asked(stack.port)) for _ in range(AT_ONCE)]
        wait_until(lambda: sum(row.started for row in stack.gauge.read()) == AT_ONCE)
        for _ in range(AT_ONCE):
            check_serves(stack)
        whole = 0
        while whole < LARGE:
            whole += len(slow[0].recv(65_536))
        for client in slow:
            client.close()
        wait_for_in_flight(stack, 0)


def check_serves(stack: StackProcess) -> None:
    """The next client is answered."""
    client = Client(stack.port)
    client.get()
    assert client.status() == 200
    client.close()
