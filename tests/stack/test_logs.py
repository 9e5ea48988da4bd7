"""What workers print: a bounded log a slot, of which the end is there when a worker dies."""

from __future__ import annotations

import os
import signal
from contextlib import closing
from pathlib import Path

import pytest

from holdfast.sizing.layout import Program
from holdfast.stack.run_dir import LOG_BYTES, bound
from tests.edges import PROGRAMS
from tests.helpers import wait_until
from tests.stack.driving import Client, Log, running
from tests.stack.edges import behind


def test_a_log_is_set_aside_only_where_it_is_long(tmp_path: Path) -> None:
    """Up to 16 MiB it stays; above it is kept as `.1`, and writers who append begin anew."""
    log, aside = tmp_path / "log", tmp_path / "log.1"
    with log.open("a") as writer:
        writer.truncate(LOG_BYTES)
        assert (bound(str(log)), aside.exists()) == (False, False)
        writer.write("x")
        writer.flush()
        assert (bound(str(log)), aside.stat().st_size) == (True, LOG_BYTES + 1)
        writer.write("anew")
    assert log.read_text() == "anew"
    assert not bound(str(tmp_path / "none"))


@pytest.mark.slow
def test_the_logs_of_a_stack_are_bounded() -> None:
    """A worker that prints much fills no disk, twice over; when it dies its last words are told."""
    with running("chatty:app", slots=1) as stack, closing(Client(stack.port)) as client:
        log = Path(stack.serving.run_dir, "slot-0.log")
        for _ in range(2):
            client.socket.sendall(b"GET /much HTTP/1.1\r\nhost: x\r\n\r\n")
            assert client.status() == 200
            wait_until(lambda: log.stat().st_size < LOG_BYTES, what="the log begins anew")
        assert sorted(path.name for path in log.parent.glob("*.log*")) == [
            "slot-0.log",
            "slot-0.log.1",
        ]
        client.socket.sendall(b"GET /die HTTP/1.1\r\nhost: x\r\n\r\n")
        assert Log(stack).wait_for("died")[0].text.endswith("last words")


@pytest.mark.slow
@pytest.mark.parametrize("program", PROGRAMS)
def test_the_log_of_an_edge_is_bounded(program: Program) -> None:
    """What all of its processes print fills no disk; of one that dies later the words are told."""
    with running(**behind(program)) as stack:
        log = Path(stack.serving.run_dir, "edge.log")
        with log.open("a") as writer:
            writer.truncate(LOG_BYTES + 1)
        wait_until(lambda: log.stat().st_size < LOG_BYTES, what="the log begins anew")
        with log.open("a") as writer:
            writer.write("last words\n")
        pid = next(e.pid for e in stack.edge_events() if e.kind == "edge_started")
        os.kill(pid, signal.SIGKILL)

        def told() -> list[str]:
            return [e.text for e in stack.edge_events() if e.kind == "edge_died"]

        assert wait_until(told)[0].endswith("last words")


@pytest.mark.slow
def test_what_the_environment_says_of_the_run_folder_is_filled_in() -> None:
    """`{run_dir}` in a variable of the workers is the stack's own folder, gone when it is."""
    with running("filing:app", slots=1, env={"FILES": "{run_dir}/files"}) as stack:
        folder = Path(stack.serving.run_dir, "files")
        assert (folder / "made").exists()
    assert not folder.parent.exists()
