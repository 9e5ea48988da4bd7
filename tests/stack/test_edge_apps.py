"""An app that never answers, answers half, too much, or goes: what its client gets, and how often
it is asked."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from holdfast.sizing.layout import Program
from holdfast.stack.process import StackProcess
from tests.edges import PROGRAMS
from tests.stack.driving import Client, Log, running, wait_for_in_flight
from tests.stack.edges import behind

pytestmark = [pytest.mark.slow, pytest.mark.parametrize("program", PROGRAMS)]

LONGEST_S = 0.5
"""Of the app's requests: an edge waits 1 s, since its timeouts are whole seconds."""


class Faulty(NamedTuple):
    """A running stack of the faulty app, and where it notes what it sees."""

    stack: StackProcess
    notes: Path

    def asked(self, path: str) -> int:
        """How often the app has seen the path."""
        notes = map(json.loads, self.notes.read_text().splitlines())
        return sum(note["target"] == path for note in notes)

    def check_asked(self, path: str, times: int = 1) -> None:
        """The app has seen the path so often, nothing of it is in flight, and others are served."""
        wait_for_in_flight(self.stack, 0)
        assert self.asked(path) == times
        assert self.answers_others()

    def answers_others(self, count: int = 20) -> bool:
        """Whether later requests, each on a connection of its own, get their own answers."""
        return all(ask(self.stack.port, "GET", "/")[:2] == (200, b"ok") for _ in range(count))


@contextlib.contextmanager
def faulty(program: Program, folder: Path, **fields: int) -> Iterator[Faulty]:
    notes = folder / "notes"
    given = {**behind(program, longest_s=LONGEST_S), "env": {"WITNESS": str(notes)}, **fields}
    with running("faulty:app", **given) as stack:
        yield Faulty(stack, notes)


def ask(port: int, method: str, path: str, length: int = 0) -> tuple[int, bytes, bool]:
    """Status and body of an answer, and whether it is whole; `length` is of a body that we keep."""
    client = Client(port)
    with contextlib.closing(client.socket):
        head = f"{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n"
        client.socket.sendall(head.encode())
        came = b""
        while b"\r\n\r\n" not in came and (more := client.socket.recv(65_536)):
            came += more
        head_came, _, body = came.partition(b"\r\n\r\n")
        if not head_came:
            return 0, b"", False
        fields = dict(line.lower().split(b": ", 1) for line in head_came.split(b"\r\n")[1:])
        expected = int(fields[b"content-length"])
        while len(body) < expected and (more := client.socket.recv(65_536)):
            body += more
        return int(head_came.split()[1]), body, len(body) == expected


METHODS = pytest.mark.parametrize("method", ["GET", "POST"])


@METHODS
def test_an_app_that_never_answers_is_a_504(program: Program, method: str, tmp_path: Path) -> None:
    """The edge gives up when the longest request would have ended, and asks nobody else."""
    with faulty(program, tmp_path) as it:
        assert ask(it.stack.port, method, "/never")[0] == 504
        it.check_asked("/never")


@METHODS
@pytest.mark.parametrize("path", ["/half-hang", "/half-close"])
def test_half_an_answer_stays_half(
    program: Program, path: str, method: str, tmp_path: Path
) -> None:
    """The connection's end says that it is not all; nginx keeps what has not filled a buffer."""
    with faulty(program, tmp_path) as it:
        status, body, is_whole = ask(it.stack.port, method, path)
        assert (status, is_whole) == (200, False)
        assert b"half".startswith(body)
        it.check_asked(path)


def test_a_post_without_an_answer_is_a_502(program: Program, tmp_path: Path) -> None:
    """A worker that closes the connection has perhaps done the work: nobody is asked again."""
    with faulty(program, tmp_path) as it:
        assert ask(it.stack.port, "POST", "/close")[0] == 502
        it.check_asked("/close")


def test_a_get_without_an_answer_is_asked_twice_at_most(program: Program, tmp_path: Path) -> None:
    """nginx asks one other slot where it has the answer's end within 1 ms; HAProxy asks nobody."""
    with faulty(program, tmp_path, slots=4) as it:
        assert ask(it.stack.port, "GET", "/close")[0] == 502
        wait_for_in_flight(it.stack, 0)
        assert it.asked("/close") in {"nginx": (1, 2), "haproxy": (1,)}[program]
        assert it.answers_others()


@METHODS
def test_a_request_that_kills_its_worker_does_not_kill_all(
    program: Program, method: str, tmp_path: Path
) -> None:
    """Of four workers a GET through nginx ends two at most, any other one; they are replaced."""
    most = 2 if (program, method) == ("nginx", "GET") else 1
    with faulty(program, tmp_path, slots=4) as it:
        log = Log(it.stack)
        assert ask(it.stack.port, method, "/die")[0] == 502
        killed = it.asked("/die")
        log.wait_for("ready", 4 + killed)
        assert len(log.of("died")) == killed <= most
        assert it.answers_others()


def test_too_large_a_header_of_an_answer_is_a_502(program: Program, tmp_path: Path) -> None:
    """What does not fit the edge's buffer is not passed on, and the worker is not asked again."""
    with faulty(program, tmp_path) as it:
        assert ask(it.stack.port, "GET", "/large-header")[0] == 502
        it.check_asked("/large-header")


def test_an_answer_may_come_before_the_body(program: Program, tmp_path: Path) -> None:
    """A client hears of a refusal that the app gives without reading, and its place is free."""
    with faulty(program, tmp_path) as it:
        assert ask(it.stack.port, "POST", "/early", length=100_000) == (403, b"no", True)
        it.check_asked("/early")


def test_what_follows_an_answer_is_nobodys(program: Program, tmp_path: Path) -> None:
    """A worker that sends more than its answer's length leaves no answer to the next request."""
    with faulty(program, tmp_path) as it:
        for _ in range(10):
            assert ask(it.stack.port, "GET", "/more") == (200, b"ok", True)
        it.check_asked("/more", 10)
