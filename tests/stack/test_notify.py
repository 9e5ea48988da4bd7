"""What systemd is told of `holdfast up`: heard on a NOTIFY_SOCKET of our own."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from holdfast.model.errors import BadInput, HoldfastError
from holdfast.stack.config import Event, Serving, StackEvent
from holdfast.stack.edge_process import children
from holdfast.stack.notify import EXTEND_EVERY_S, EXTEND_S, Notify, notifying
from tests.cli.run import command
from tests.helpers import free_port, wait_until
from tests.stack.driving import APPS, Client
from tests.stack.systemd import Systemd, started

SERVING = Serving("127.0.0.1", 8000, "", "", 1)
EXTEND = f"EXTEND_TIMEOUT_USEC={EXTEND_S * 1e6:.0f}"


@pytest.fixture
def systemd(short_path: Path) -> Iterator[Systemd]:
    """Listen at a path."""
    with closing(Systemd(str(short_path / "notify"))) as listening:
        yield listening


@pytest.fixture
def notify(systemd: Systemd) -> Iterator[Notify]:
    """Tell it."""
    with closing(Notify(systemd.name)) as told:
        yield told


@contextmanager
def up(systemd: Systemd, *words: str, **env: str) -> Iterator[subprocess.Popen[bytes]]:
    """`holdfast up` of the app that holds requests, started as systemd would."""
    argv = command("up", "held:app", "--app-dir", str(APPS), "-n", "10", "--edge", "none", *words)
    with started(argv, systemd, **env) as process:
        yield process


@pytest.mark.slow
@pytest.mark.parametrize("is_abstract", [False, True])
def test_a_stack_says_when_it_is_ready_reloads_and_stops(
    short_path: Path, *, is_abstract: bool
) -> None:
    """READY once a request is answered; RELOADING with the time, READY again; STOPPING at last."""
    name = f"@holdfast-{os.urandom(8).hex()}" if is_abstract else str(short_path / "notify")
    port = free_port()
    with closing(Systemd(name)) as systemd:
        with up(systemd, "--port", str(port)) as process:
            assert f"STATUS=serving on http://127.0.0.1:{port}" in systemd.until("READY=1")
            with closing(Client(port)) as client:
                client.ask()
                client.finish()
                assert client.status() == 200
            process.send_signal(signal.SIGHUP)
            lines = dict(line.split("=", 1) for line in systemd.until("RELOADING=1"))
            assert 0 < int(lines["MONOTONIC_USEC"]) <= time.monotonic_ns() // 1_000
            systemd.until("READY=1")
            process.terminate()
            systemd.until("STOPPING=1")
        while systemd.has_more():
            systemd.hear()
        assert systemd.heard[-1] == ["STATUS=drained, 0 requests cut"]
        assert process.returncode == 0


@pytest.mark.slow
def test_the_watchdog_hears_of_a_supervisor_that_lives(systemd: Systemd) -> None:
    """A sign of life again and again, more often than the watchdog asks; also while it drains."""
    port = free_port()
    env = {"WATCHDOG_USEC": "400000"}
    with up(systemd, "--port", str(port), **env) as process:
        systemd.until("READY=1")
        with closing(Client(port)) as client:
            client.ask()
            for _ in range(3):
                systemd.until("WATCHDOG=1")
            process.terminate()
            systemd.until("STOPPING=1")
            for _ in range(2):
                assert EXTEND in systemd.until("WATCHDOG=1")
            client.finish()
            assert client.status() == 200


@pytest.mark.slow
def test_no_worker_can_speak_for_its_supervisor(systemd: Systemd) -> None:
    """Neither the socket nor the watchdog is in the environment of what it starts."""
    env = {"WATCHDOG_USEC": "9000000"}
    with up(systemd, "--port", str(free_port()), **env) as process:
        systemd.until("READY=1")
        started = [Path(f"/proc/{pid}/environ").read_bytes() for pid in children(process.pid)]
    assert len(started) >= 2
    assert not [each for each in started if b"NOTIFY_SOCKET" in each or b"WATCHDOG" in each]


@pytest.mark.slow
def test_a_drained_stack_does_not_say_that_it_stops(systemd: Systemd, short_path: Path) -> None:
    """It stays until it is told to end, and systemd ends whoever says STOPPING."""
    run_dir = short_path / "run"
    words = ("--port", str(free_port()), "--run-dir", str(run_dir))
    with up(systemd, *words) as process:
        systemd.until("READY=1")
        for order in ("drain", "down"):
            with closing(socket.socket(socket.AF_UNIX)) as control:
                control.settimeout(30)
                control.connect(str(run_dir / "control.sock"))
                control.sendall(json.dumps({"type": order}).encode() + b"\n")
                while control.recv(65_536):
                    pass
        process.wait(60)
    while systemd.has_more():
        systemd.hear()
    said = [line for message in systemd.heard for line in message]
    assert "STATUS=drained, 0 requests cut" in said
    assert "STOPPING=1" not in said


@pytest.mark.slow
def test_why_it_does_not_start_is_told(systemd: Systemd) -> None:
    """The fault is what `systemctl status` shows."""
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
        with up(systemd, "--port", str(port)) as process:
            assert process.wait(60) == 2
    assert f"port {port} is taken" in systemd.hear()[0]


@pytest.mark.slow
def test_a_stack_serves_though_nobody_listens(short_path: Path) -> None:
    """A socket that is not there, as in a shell that a service has started, is no fault."""
    with closing(Systemd(str(short_path / "notify"))) as gone:
        os.unlink(gone.name)
        port = free_port()
        with up(gone, "--port", str(port)):

            def answers() -> bool:
                try:
                    with closing(Client(port)) as client:
                        client.ask()
                        client.finish()
                        return client.status() == 200
                except OSError:
                    return False

            wait_until(answers)


def test_more_time_is_asked_for_while_something_is_under_way(
    notify: Notify, systemd: Systemd
) -> None:
    """While it starts, reloads and stops, again every few seconds; not while it serves."""
    assert notify.step(0.0) == EXTEND_EVERY_S
    assert systemd.hear() == [EXTEND]
    notify.happened(SERVING)
    systemd.until("READY=1")
    notify.step(EXTEND_EVERY_S)
    assert not systemd.has_more()
    notify.happened(StackEvent("reloading", 0.0, 2))
    systemd.until("RELOADING=1")
    for turn in (6.0, 7.0, 6.0 + EXTEND_EVERY_S):
        notify.step(turn)
    assert (systemd.hear(), systemd.hear(), systemd.has_more()) == ([EXTEND], [EXTEND], False)
    notify.happened(StackEvent("not_reloaded", 0.0, 2, text="Traceback\n  no module\n"))
    assert systemd.hear() == [
        "READY=1",
        "STATUS=serving on http://127.0.0.1:8000; not reloaded: no module",
    ]


def test_the_line_for_people_follows_the_start(notify: Notify, systemd: Systemd) -> None:
    """How many workers answer, then where it serves, then how many after a scaling."""
    for slot in range(2):
        notify.happened(Event("ready", 0.0, slot, 1))
    notify.happened(SERVING)
    notify.happened(Event("ready", 0.0, 0, 2))
    notify.happened(StackEvent("scaled", 0.0, 4))
    said = [systemd.hear()[-1] for _ in range(4)]
    assert said == [
        "STATUS=starting: 1 answer",
        "STATUS=starting: 2 answer",
        "STATUS=serving on http://127.0.0.1:8000",
        "STATUS=serving on http://127.0.0.1:8000, 4 workers",
    ]


def test_what_finds_no_room_is_told_later(notify: Notify, systemd: Systemd) -> None:
    """A manager that is slow is not waited for, and hears everything, in order."""
    count = 2_000
    for slots in range(count):
        notify.happened(StackEvent("scaling", 0.0, slots))
    said = []
    while systemd.has_more():
        said += systemd.hear()
    assert 0 < len(said) < count
    while len(said) < count:
        notify.step(-1.0)
        said += systemd.hear()
    assert said == [f"STATUS=scaling to {slots:,} workers" for slots in range(count)]


def test_a_watchdog_of_another_process_is_not_ours(systemd: Systemd) -> None:
    """WATCHDOG_PID names who is watched: a shell between systemd and us is."""
    env = {"NOTIFY_SOCKET": systemd.name, "WATCHDOG_USEC": "1000000", "WATCHDOG_PID": "1"}
    with notifying(env) as notify:
        notify.happened(SERVING)
        notify.step(0.0)
    assert env == {}
    assert systemd.hear()[0] == "READY=1"
    assert not systemd.has_more()


def test_nobody_is_told_where_nobody_asks() -> None:
    """Without the variable nothing is said, and the loop is never woken for it."""
    with notifying({}) as notify:
        notify.happened(SERVING)
        notify.failed(HoldfastError("x"))
        assert notify.step(0.0) == float("inf")


@pytest.mark.parametrize(
    ("variable", "value"), [("NOTIFY_SOCKET", "vsock:2:1"), ("WATCHDOG_USEC", "soon")]
)
def test_what_cannot_be_told_is_a_fault(variable: str, value: str) -> None:
    """It would be ended for its silence: so it is said at once, with the variable's name."""
    with pytest.raises(BadInput) as caught, notifying({variable: value}):
        pass
    assert caught.value.place == variable
