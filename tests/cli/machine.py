"""A machine to change: a network namespace of its own, and mounts, so that the real one stays.

Its net.* settings are its own; those of the whole kernel are mounted read-only, so that no test
can change them. Skips, with the reason, where no namespace is to be had.
"""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.cli.run import REPOSITORY, WAIT, command, environment

SOMAXCONN, RANGE = "net.core.somaxconn", "net.ipv4.ip_local_port_range"
ASKED = ("wait:app", "--app-dir", WAIT, "-n", "2k", "--mean-time", "1s", "--burst", "2k")
FILE = "etc/sysctl.d/90-holdfast.conf"

READY = "ready"
PREPARE = f"""
set -e
mount --make-rprivate /
for name in fs kernel vm; do
    mount --bind /proc/sys/$name /proc/sys/$name
    mount -o remount,bind,ro /proc/sys/$name
done
ip link set lo up
echo {READY}
exec cat
"""


class Machine:
    """A namespace with files below `root` and a record in `state`; `close` ends it."""

    def __init__(self, folder: Path) -> None:
        self.root, self.state = folder / "root", folder / "state"
        for name in ("etc/sysctl.d", "etc/security/limits.d"):
            (self.root / name).mkdir(parents=True)
        self.holder = subprocess.Popen(
            ["unshare", "--net", "--mount", "sh", "-c", PREPARE],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.holder.stdout is not None
        if self.holder.stdout.readline().strip() != READY:
            assert self.holder.stderr is not None
            why = self.holder.stderr.read().strip()
            self.close()
            pytest.skip(f"no namespace to tune in: {why}")

    def close(self) -> None:
        """End the namespace: the last process in it is told that there is no more."""
        self.holder.communicate()

    def inside(self, *words: str) -> list[str]:
        """The words that run a command in it."""
        return ["nsenter", f"--target={self.holder.pid}", "--net", "--mount", *words]

    def run(self, *words: str, **popen: Any) -> subprocess.CompletedProcess[str]:
        """Run a command in it to its end."""
        popen = {"stdin": subprocess.DEVNULL, "cwd": REPOSITORY, **popen}
        return subprocess.run(
            self.inside(*words),
            env=environment(),
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
            **popen,
        )

    def tune(self, *words: str, **popen: Any) -> subprocess.CompletedProcess[str]:
        """Run `holdfast tune WORDS` in it, on its own root and state."""
        return self.run(*self.tune_words(*words), **popen)

    def tune_words(self, *words: str) -> list[str]:
        """The words of that, without those that enter it."""
        where = ("--root", str(self.root), "--state", str(self.state))
        return command("tune", *words, *where)

    def sysctl(self, setting: str, value: str | None = None) -> str:
        """A running value of it, after setting it where one is given."""
        path = f"/proc/sys/{setting.replace('.', '/')}"
        if value is not None:
            done = self.run("tee", path, stdin=None, input=value)
            assert done.returncode == 0, done.stderr
        return " ".join(self.run("cat", path).stdout.split())

    def tree(self) -> dict[str, tuple[int, bytes | None]]:
        """Every file and folder below the root and of the record: {path: (mode, bytes)}."""
        found = {}
        for top in (self.root, self.state):
            for path in sorted(top.rglob("*")) + [top] * top.exists():
                text = path.read_bytes() if path.is_file() else None
                found[str(path)] = (path.stat().st_mode, text)
        return found
