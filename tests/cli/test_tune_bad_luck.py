"""`holdfast tune --apply` where it cannot, or is cut short: nothing half done, all put back.

Settings are written in a network namespace of the test only, files below a folder of it.
"""

from __future__ import annotations

import contextlib
import json
import os
import pty
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.machine import ASKED, FILE, SOMAXCONN, Machine
from tests.cli.run import environment
from tests.helpers import wait_until

NOBODY = 65534

pytestmark = [pytest.mark.slow, pytest.mark.beside]

AS_NOBODY = f"""
import os, resource, sys
from holdfast.cli import main, tune
from holdfast.facts.profiles import read_profiles
read_profiles()
LIMIT
os.setgroups([]); os.setgid({NOBODY}); os.setuid({NOBODY})
sys.argv[0] = "holdfast"
main.main()
"""


def as_nobody(machine: Machine, *words: str, limit: str = "") -> subprocess.CompletedProcess[str]:
    """`holdfast tune WORDS` by a user without rights, who may read what root may."""
    rest = machine.tune_words(*words)[3:]
    return machine.run(sys.executable, "-c", AS_NOBODY.replace("LIMIT", limit), *rest)


@pytest.fixture
def readable_machine() -> Iterator[Machine]:
    """The same, with files that every user may read."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        made = Machine(Path(folder))
        try:
            made.sysctl(SOMAXCONN, "2")
            yield made
        finally:
            made.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="becoming another user needs root")
def test_without_permission_nothing_is_half_done(readable_machine: Machine) -> None:
    """Another user is told what to change, and refused before anything is, with file and hint."""
    machine = readable_machine
    before = machine.tree()
    asked = ("-n", "2k", "--mean-time", "1s", "--burst", "2k")
    told = as_nobody(machine, *asked)
    assert (told.returncode, f"{SOMAXCONN}:" in told.stdout) == (1, True), told.stderr
    refused = as_nobody(machine, *asked, "--apply", "--yes")
    assert refused.returncode == 1
    assert "Permission denied" in refused.stderr
    assert f"at {machine.root / FILE}" in refused.stderr
    assert "hint: run it as root" in refused.stderr
    assert (machine.tree(), machine.sysctl(SOMAXCONN)) == (before, "2")


@pytest.mark.skipif(os.geteuid() != 0, reason="becoming another user needs root")
def test_a_low_hard_limit_is_raised_for_the_next_login(readable_machine: Machine) -> None:
    """Only root could try it, so it is not promised; the file names the user, and undo takes it."""
    machine = readable_machine
    for path in (machine.root.parent, *machine.root.rglob("*")):
        os.chown(path, NOBODY, NOBODY)
    before, low = machine.tree(), "resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))"
    asked = ("-n", "2k", "--burst", "0", "--user", "web")
    told = json.loads(as_nobody(machine, *asked, "--json", limit=low).stdout)
    row = next(row for row in told["needs"] if row["setting"] == "nofile")
    assert (told["changes"], row["standing"]) == (["nofile"], "cannot be known here")
    assert "LimitNOFILE=" in told["unit"]
    applied = as_nobody(machine, *asked, "--apply", "--yes", limit=low)
    assert applied.returncode == 0, applied.stderr
    assert "the limits hold from the next login on" in applied.stderr
    text = (machine.root / "etc/security/limits.d/90-holdfast.conf").read_text()
    assert text.splitlines()[-2:] == [f"web {kind} nofile 4096" for kind in ("soft", "hard")]
    again = as_nobody(machine, *asked, "--apply", "--yes", limit=low)
    assert "nothing to do: all of it was applied before" in again.stderr
    assert as_nobody(machine, "--undo").returncode == 0
    assert machine.tree() == before


@pytest.mark.parametrize("folder", ["root/etc/sysctl.d", "state"])
def test_on_a_read_only_place_nothing_is_half_done(
    machine: Machine, tmp_path: Path, folder: str
) -> None:
    """Read-only files, or no place for the record: refused before a running value changes."""
    place = tmp_path / folder
    place.mkdir(exist_ok=True)
    before = machine.tree()
    mounts = f"mount --bind {place} {place} && mount -o remount,bind,ro {place}"
    assert machine.run("sh", "-c", mounts).returncode == 0
    refused = machine.tune(*ASKED, "--apply", "--yes")
    assert refused.returncode == 1
    assert "Read-only file system" in refused.stderr
    assert (machine.tree(), machine.sysctl(SOMAXCONN)) == (before, "2")


@pytest.mark.parametrize("folder", ["root/etc/sysctl.d", "state"])
def test_on_a_full_disk_nothing_is_half_done(machine: Machine, tmp_path: Path, folder: str) -> None:
    """Where a file or the record does not fit, all is as before, and nothing is left to undo."""
    place = tmp_path / folder
    place.mkdir(exist_ok=True)
    full = f"mount -t tmpfs -o size=4k none {place} && head -c 4096 /dev/zero > {place}/full"
    assert machine.run("sh", "-c", full).returncode == 0
    refused = machine.tune(*ASKED, "--apply", "--yes")
    assert refused.returncode == 1
    assert "No space left on device" in refused.stderr
    assert "hint: make room" in refused.stderr
    assert machine.run("ls", "-A", str(place)).stdout.split() == ["full"]
    assert machine.sysctl(SOMAXCONN) == "2"
    assert machine.tune("--undo").stderr == "there is nothing to undo\n"


FORKING = """
import contextlib, json, os, signal, sys
from holdfast.cli import main, tune

def run(*words):
    sys.argv = ["holdfast", *words]
    try:
        main.main()
    except SystemExit as ended:
        return ended.code

def killed_before(left, places):
    def count(event, args):
        nonlocal left
        if event.startswith(("open", "os.")) and str(args[:1]).startswith(places, 2):
            left -= 1
            if left < 0:
                os.kill(os.getpid(), signal.SIGKILL)
    sys.addaudithook(count)

asked, places, said = json.loads(sys.stdin.readline())
with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
    run(*asked)  # what one run imports, the forks have
for line in sys.stdin:
    left, *words = json.loads(line)
    if not (child := os.fork()):
        os.dup2(os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 2)
        os.dup2(2, 1)
        if left is not None:
            killed_before(left, tuple(places))
        os._exit(run(*words))
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


class Forking:
    """Runs `holdfast tune` in the machine again and again, as forks of one process there."""

    def __init__(self, machine: Machine, folder: Path) -> None:
        self._machine = machine
        self._said = folder / "said"
        self._process = subprocess.Popen(
            machine.inside(sys.executable, "-c", FORKING),
            env=environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        places = (str(machine.root), str(machine.state), "/proc/sys/net/core/somaxconn")
        self._send(machine.tune_words(*ASKED, "--json")[3:], places, str(self._said))

    def tune(self, *words: str, steps: int | None = None) -> int:
        """The exit status, killed before its step `steps` on what it owns where one is named."""
        self._send(steps, *self._machine.tune_words(*words)[3:])
        assert self._process.stdout is not None
        return int(self._process.stdout.readline())

    def said(self) -> str:
        """What the last one printed."""
        return self._said.read_text()

    def close(self) -> None:
        """End the process that forks."""
        self._process.communicate(timeout=30)

    def _send(self, *words: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(words) + "\n")
        self._process.stdin.flush()


@pytest.mark.parametrize("words", [(*ASKED, "--apply", "--yes"), ("--undo",)])
def test_a_kill_between_any_two_steps_leaves_what_undo_restores(
    machine: Machine, tmp_path: Path, words: tuple[str, ...]
) -> None:
    """SIGKILL before each step on a file or value, of apply and of undo: undo brings all back."""
    before = machine.tree()
    with contextlib.closing(Forking(machine, tmp_path)) as forking:
        for steps in range(100):
            if words == ("--undo",):
                assert forking.tune(*ASKED, "--apply", "--yes") == 0
            status = forking.tune(*words, steps=steps)
            assert forking.tune("--undo") == 0, (steps, forking.said())
            assert (machine.tree(), machine.sysctl(SOMAXCONN)) == (before, "2"), steps
            if status == 0:
                break
            assert status == -9
    assert steps > 10


def test_an_interrupt_at_the_question_changes_nothing(machine: Machine) -> None:
    """Ctrl-C in a terminal where it asks: exit code 130, and everything is as before."""
    before = machine.tree()
    leader, follower = pty.openpty()
    words = machine.inside(*machine.tune_words(*ASKED, "--apply"))
    with subprocess.Popen(
        ["setsid", "--ctty", "--wait", *words], stdin=follower, stdout=follower, stderr=follower
    ) as asking:
        os.close(follower)
        os.set_blocking(leader, False)
        said = b""

        def asked() -> bool:
            nonlocal said
            with contextlib.suppress(BlockingIOError):
                said += os.read(leader, 4096)
            return b"Apply this?" in said

        wait_until(asked)
        os.write(leader, b"\x03")
        assert asking.wait(30) == 130
    os.close(leader)
    assert f"{SOMAXCONN} = 2048".encode() in said
    assert (machine.tree(), machine.sysctl(SOMAXCONN)) == (before, "2")
