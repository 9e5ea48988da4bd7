"""`holdfast up`: serves at the size that was asked for, is found by `prove`, stops cleanly."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cli.run import WAIT, command, environment, holdfast, started, tried
from tests.edges import PROGRAMS
from tests.helpers import free_port, wait_until


@contextmanager
def serving(
    port: int, *words: str, app: str = "wait:app", mean_time: str = "1s"
) -> Iterator[subprocess.Popen[str]]:
    """`holdfast up` of the waiting app, once it says that it serves."""
    argv = ("up", app, "--app-dir", WAIT, "--port", str(port), "--mean-time", mean_time, *words)
    with started(*argv) as process:
        try:
            assert process.stderr is not None
            err = process.stderr
            wait_until(lambda: "serving on" in err.readline())
            yield process
        finally:
            if process.poll() is None:
                process.kill()
            process.communicate(timeout=30)


def held_while_up(*words: str, app: str, mean_time: str) -> None:
    """2,000 are held at what `up` serves, in the app's own count too, and TERM ends it with 0."""
    port = free_port()
    with serving(port, "--in-flight", "3k", *words, app=app, mean_time=mean_time) as process:
        asked = ("-n", "2k", "--hold", "2s", "--mean-time", mean_time, "--json")
        done = tried("prove", f"http://127.0.0.1:{port}/{{id}}", *asked)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
    result = json.loads(done.stdout)
    assert (result["verdict"], done.returncode) == ("held", 0), result["reasons"]
    assert result["witnesses"]["app"] >= 2_000
    assert process.returncode == 0


@pytest.mark.slow
def test_what_is_up_is_proved_with_three_witnesses() -> None:
    """`prove URL` finds the stack by its port and counts in the app too; TERM ends it with 0."""
    held_while_up(app="wait:app", mean_time="1s")


@pytest.mark.slow
@pytest.mark.parametrize("edge", PROGRAMS[:1])
def test_a_wsgi_app_is_served_without_a_word_of_its_engine(edge: str) -> None:
    """Behind an edge 2,000 are in flight in it, and none of them fails."""
    held_while_up("--edge", edge, app="wait_wsgi:app", mean_time="5s")


@pytest.mark.slow
@pytest.mark.beside
def test_ctrl_c_ends_it_cleanly() -> None:
    """An interrupt stops the workers, the command ends with 0, and the port is free again."""
    port = free_port()
    with serving(port, "-n", "10") as process:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    assert process.returncode == 0
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", port))


@pytest.mark.slow
@pytest.mark.beside
def test_a_port_that_is_taken_is_told() -> None:
    """Another listener on the port: exit code 2, the port is named, another one is the hint."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        words = ("up", "wait:app", "--app-dir", WAIT, "-n", "10", "--port", str(port))
        done = holdfast(*words)
    assert done.returncode == 2
    assert f"port {port} is taken" in done.stderr
    assert "hint: " in done.stderr


@pytest.mark.slow
@pytest.mark.beside
@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user to try it")
def test_a_port_that_needs_permission_is_told() -> None:
    """As an unprivileged user port 80 is refused: exit code 2, what is allowed as the hint."""
    start = Path("/proc/sys/net/ipv4/ip_unprivileged_port_start")
    if int(start.read_text()) <= 80:
        pytest.skip("this machine lets every user listen on port 80")
    # The interpreter may lie in a folder of root's: this user may read it, and nothing else.
    nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    reads = ["--inh-caps=-all,+dac_read_search", "--ambient-caps=-all,+dac_read_search"]
    words = command("up", "wait:app", "--app-dir", WAIT, "-n", "10", "--port", "80")
    done = subprocess.run(
        [*nobody, *reads, *words],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    assert "no permission to listen on port 80" in done.stderr
    assert "hint: " in done.stderr
