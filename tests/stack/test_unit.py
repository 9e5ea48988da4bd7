"""`holdfast up --print-unit`: the unit's command line, run as systemd runs it, with its limits."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from holdfast.stack.limits import raise_nofile
from tests.cli.run import UNPRIVILEGED, environment, holdfast
from tests.helpers import free_port
from tests.stack.driving import APPS, BUSY, crowd
from tests.stack.standing import family
from tests.stack.systemd import Systemd, started

WORDS = ("up", "held:app", "--app-dir", str(APPS), "-n", "2k", "--edge", "none")


def said(text: str, key: str) -> str:
    """What the line with that key says."""
    found = re.search(rf"^{key}=(.*)$", text, re.MULTILINE)
    assert found is not None, key
    return found[1]


def argv(text: str, run_dir: Path) -> list[str]:
    """What ExecStart starts: with the unit's limit, without any capability."""
    limit = f"--nofile={said(text, 'LimitNOFILE')}"
    line = said(text, "ExecStart").replace("%t/holdfast-held", str(run_dir))
    return [*UNPRIVILEGED, "prlimit", limit, *shlex.split(line)]


def tasks(pid: int) -> int:
    """Threads of a process and of all that it has started."""
    return sum(len(os.listdir(f"/proc/{each}/task")) for each in family(pid))


@pytest.mark.slow
def test_a_unit_runs_with_what_it_grants(short_path: Path) -> None:
    """Ready, 2,000 in flight at once, reloaded by its own command, ended: all within its limits."""
    raise_nofile(2 * BUSY + 200)
    port = free_port()
    text = holdfast(*WORDS, "--port", str(port), "--print-unit").stdout
    run_dir = short_path / "run"
    with closing(Systemd(str(short_path / "notify"))) as systemd:
        folder = said(text, "WorkingDirectory")
        with started(argv(text, run_dir), systemd, folder) as process:
            systemd.until("READY=1")
            with crowd(port, BUSY) as clients:
                for client in clients:
                    client.finish()
                assert {client.status() for client in clients} == {200}
            reload = said(text, "ExecReload").replace("%t/holdfast-held", str(run_dir))
            done = subprocess.run(
                shlex.split(reload), env=environment(), capture_output=True, timeout=60, check=False
            )
            assert done.returncode == 0, done.stderr
            assert ["READY=1" in message for message in systemd.heard].count(True) >= 1
            assert tasks(process.pid) <= int(said(text, "TasksMax"))
            files = len(os.listdir(f"/proc/{process.pid}/fd"))
            assert files <= int(said(text, "LimitNOFILE"))
        assert process.returncode == 0


@pytest.mark.slow
def test_the_unit_says_the_same_words() -> None:
    """All but `--print-unit`, in their order, in the folder where it was printed."""
    done = holdfast(*WORDS, "--print-unit", "--grace", "60s")
    words = shlex.split(said(done.stdout, "ExecStart"))
    assert words[3:] == ["holdfast", *WORDS, "--grace", "60s", "--run-dir", "%t/holdfast-held"]
    assert said(done.stdout, "WorkingDirectory") == os.getcwd()
    assert said(done.stdout, "TimeoutStopSec") == "68"
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.slow
def test_a_folder_of_its_own_is_refused() -> None:
    """The unit's run folder is systemd's to make."""
    done = holdfast(*WORDS, "--print-unit", "--run-dir", "x")
    assert (done.returncode, done.stdout) == (2, "")
    assert "--run-dir" in done.stderr


@pytest.mark.slow
def test_an_audit_of_the_unit_finds_nothing(tmp_path: Path) -> None:
    """Beside the files of an app that it does not start, it adds no finding and no problem."""
    (tmp_path / "Procfile").write_text("web: uvicorn main:app --backlog 128\n")
    before = holdfast("audit", str(tmp_path), "--json")
    unit = holdfast(*WORDS, "--print-unit").stdout
    (tmp_path / "holdfast-held.service").write_text(unit)
    after = holdfast("audit", str(tmp_path), "--json")
    assert after.returncode == before.returncode
    assert "holdfast-held" not in after.stdout.replace('"holdfast-held.service"', "", 1)
