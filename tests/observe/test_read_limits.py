"""What holds a running process, read from real processes and from planted files."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path

import pytest

from holdfast.observe.process import read_limits
from tests.observe.trees import machine, plant

CHILD = """
import os, resource, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (700, 900))
kept = [os.open("/dev/null", os.O_RDONLY) for _ in range(100)]
print(len(os.listdir("/proc/self/fd")) - 1, flush=True)
sys.stdin.read()
"""


@pytest.mark.slow
def test_a_running_process_is_read_with_its_effective_limits() -> None:
    """Another process's limits, and the number of descriptors that it has open, are exact."""
    with subprocess.Popen(
        [sys.executable, "-c", CHILD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        try:
            assert child.stdout is not None
            open_in_child = int(child.stdout.readline())
            seen = {value.setting: value.value for value in read_limits(child.pid)}
        finally:
            child.kill()
    assert seen.pop("nproc") is not None
    expected = {"nofile_soft": 700, "nofile_hard": 900, "descriptors_open": open_in_child}
    assert (seen, open_in_child >= 103) == (expected, True)


def test_a_process_that_is_gone_has_no_values() -> None:
    """Nothing is raised for a pid that does not exist; each value says what was not there."""
    with subprocess.Popen([sys.executable, "-c", ""]) as child:
        pass
    values = read_limits(child.pid)
    assert [value.value for value in values] == [None] * 4
    assert all(f"/proc/{child.pid}/" in value.why for value in values)


def test_unlimited_is_a_value(tmp_path: Path) -> None:
    """The kernel's "unlimited" is infinity, not an unset value."""
    limits = machine()["/proc/self/limits"].replace("30000", "unlimited")
    values = read_limits(7, root=plant(tmp_path, {"/proc/7/limits": limits, "/proc/7/fd/0": ""}))
    seen = [value.value for value in values]
    assert seen == [1024, 524288, math.inf, 1]
