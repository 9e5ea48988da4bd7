"""Children of a Brood end with it, however it ends, and so does what they leave behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from holdfast.stack.warden import Brood
from tests.helpers import wait_until
from tests.stack.driving import marked

pytestmark = pytest.mark.slow

HOLDER = """
import os, sys
from holdfast.stack.warden import Brood
brood = Brood(remove=sys.argv[1])
for command in ("sleep 3600 & sleep 3600", "trap '' INT TERM HUP; while :; do sleep 3600; done"):
    brood.spawn(["sh", "-c", command], stdout=2)
print("up", brood.warden_pid, flush=True)
sys.stdin.read()
"""


def holder(folder: Path) -> tuple[subprocess.Popen[str], int]:
    """Start a process with two children, and return it with its warden's process id."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    return process, int(process.stdout.readline().split()[1])


def test_a_killed_holder_leaves_nothing(mark: str, tmp_path: Path) -> None:
    """SIGKILL of the holder ends children, grandchildren and warden, and removes the folder."""
    folder = tmp_path / "run"
    (folder / "deep" / "er").mkdir(parents=True)
    (folder / "deep" / "link").symlink_to(tmp_path)
    (folder / "file").touch()
    process, _ = holder(folder)
    wait_until(lambda: len(marked(mark)) >= 6)
    process.kill()
    process.communicate()
    wait_until(lambda: not marked(mark), ceiling_s=2, what="no process left")
    assert not folder.exists()
    assert tmp_path.exists()


def test_a_warden_does_not_heed_the_terminal(mark: str, tmp_path: Path) -> None:
    """SIGINT, SIGTERM and SIGHUP do not end the warden before its work is done."""
    process, warden = holder(tmp_path / "none")
    state = Path(f"/proc/{warden}/status")
    terminal = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def ignored(number: int) -> int:
        mask = int(state.read_text().partition("SigIgn:")[2].split()[0], 16)
        return mask >> (number - 1) & 1

    wait_until(lambda: all(map(ignored, terminal)), what="signals ignored")
    for number in terminal:
        os.kill(warden, number)
    process.kill()
    process.communicate()
    wait_until(lambda: not marked(mark), ceiling_s=2, what="no process left")


def test_closing_ends_what_is_left(mark: str) -> None:
    """After close() no child lives, and each can still be asked for its status."""
    with Brood() as brood:
        child = brood.spawn(["sleep", "3600"])
        assert len(marked(mark)) >= 1
    assert marked(mark) == set()
    assert child.wait(30) == -signal.SIGKILL


def test_a_childs_end_is_its_groups_end(mark: str) -> None:
    """What a child leaves behind in its group ends with it, while its brood goes on."""
    with Brood() as brood:
        other = brood.spawn(["sleep", "3600"])
        child = brood.spawn(["sh", "-c", "sleep 3600 & echo $!; exec sleep 3600"], stdout=-1)
        assert child.stdout is not None
        left = int(child.stdout.readline())
        child.stdout.close()
        wait_until(lambda: Path(f"/proc/{left}/comm").read_text() == "sleep\n")
        assert {child.pid, left} < marked(mark)
        child.kill()
        child.wait(30)
        wait_until(lambda: marked(mark) == {other.pid, brood.warden_pid})


def test_a_child_is_alone_in_its_session(mark: str) -> None:
    """A child leads a group and a session of its own, so that the terminal does not reach it."""
    with Brood() as brood:
        child = brood.spawn(["sleep", "3600"])
        assert os.getpgid(child.pid) == os.getsid(child.pid) == child.pid


def test_a_child_ends_with_its_parent_even_without_a_warden(mark: str, tmp_path: Path) -> None:
    """Where the warden was killed before, the kernel's death signal still ends the children."""
    process, warden = holder(tmp_path / "none")
    children = set(
        map(int, Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split())
    )
    os.kill(warden, signal.SIGKILL)
    process.kill()
    process.communicate()
    wait_until(lambda: not marked(mark) & children, ceiling_s=2, what="no child left")
    for pid in marked(mark):  # a grandchild, which only the warden knows how to find
        os.kill(pid, signal.SIGKILL)
