"""Making changes of a machine all or none, on a real kernel in a namespace of the test."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.machine import Machine

SOMAXCONN, RANGE = "net.core.somaxconn", "net.ipv4.ip_local_port_range"
FILE = "/etc/sysctl.d/90-holdfast.conf"
CHILD = """
import fcntl, os, sys
from pathlib import Path
from holdfast.model.errors import HoldfastError
from holdfast.stack.tuning import Tuner
root, state = sys.argv[1:]
tuner = Tuner(root, state)
file = root + "/etc/sysctl.d/90-holdfast.conf"
try:
{}
except HoldfastError as error:
    print(error.fault, "|", error.place)
"""

pytestmark = pytest.mark.slow


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    made = Machine(tmp_path)
    try:
        made.sysctl(SOMAXCONN, "16")
        yield made
    finally:
        made.close()


def tried(machine: Machine, *lines: str) -> str:
    """What lines of Python with a `tuner` of this machine print, or the fault that they end in."""
    code = CHILD.format("\n".join(f"    {line}" for line in lines))
    done = machine.run(sys.executable, "-c", code, str(machine.root), str(machine.state))
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def wanted(**values: str) -> str:
    """The line that makes `pending`: one file, and running values."""
    settings = {SOMAXCONN: values["somaxconn"]} | (
        {RANGE: values["ports"]} if "ports" in values else {}
    )
    return f"pending = tuner.pending({{'{FILE}': 'text'}}, {settings})"


def test_a_value_that_the_kernel_refuses_takes_all_back(machine: Machine) -> None:
    """The file and the value before it are as they were, no record stays, the value is named."""
    before = machine.tree()
    said = tried(machine, wanted(somaxconn="64", ports="9 1"), "tuner.apply(pending, ())")
    assert said == (
        "cannot write `9 1` to it: Invalid argument | /proc/sys/net/ipv4/ip_local_port_range"
    )
    assert (machine.tree(), machine.sysctl(SOMAXCONN)) == (before, "16")


def test_a_setting_that_this_kernel_lacks_is_refused_first(machine: Machine) -> None:
    """A sysctl that does not exist is a fault with its file, before anything is changed."""
    before = machine.tree()
    said = tried(machine, "tuner.pending({}, {'net.core.nothing': '1'})")
    assert said == "cannot read it: No such file or directory | /proc/sys/net/core/nothing"
    assert machine.tree() == before


@pytest.mark.parametrize(
    "meanwhile",
    ["Path(file).write_text('another')", "Path('/proc/sys/net/core/somaxconn').write_text('32')"],
)
def test_what_changed_since_it_was_shown_is_not_overwritten(
    machine: Machine, meanwhile: str
) -> None:
    """Between the difference that was shown and the deed somebody else acts: refused."""
    said = tried(machine, wanted(somaxconn="64"), meanwhile, "tuner.apply(pending, ())")
    assert said == "the machine was changed meanwhile | None"
    assert machine.sysctl(SOMAXCONN) in {"16", "32"}
    assert not machine.state.exists()


def test_two_at_once_are_refused(machine: Machine) -> None:
    """While another tuning is at work a second one changes nothing."""
    lock = (
        "os.makedirs(state)",
        "other = os.open(state, os.O_RDONLY)",
        "fcntl.flock(other, fcntl.LOCK_EX)",
    )
    said = tried(machine, wanted(somaxconn="64"), *lock, "tuner.apply(pending, ())")
    assert said == f"another `tune` is at work | {machine.state}"
    assert machine.sysctl(SOMAXCONN) == "16"


def test_a_link_in_the_place_of_the_file_is_refused(machine: Machine) -> None:
    """A symbolic link would not come back as one, so it is not touched."""
    link = machine.root / FILE.lstrip("/")
    link.symlink_to("/dev/null")
    assert tried(machine, wanted(somaxconn="64")) == f"it is no plain file | {link}"
    assert link.is_symlink()


@pytest.mark.parametrize(
    ("text", "fault"),
    [("{", "this is no record"), ('{"version": 2}', "a record of version 2")],
)
def test_a_record_that_is_not_ours_is_a_fault(machine: Machine, text: str, fault: str) -> None:
    """A damaged or newer record is named and left alone; nothing is undone by guess."""
    machine.state.mkdir()
    (machine.state / "tune.json").write_text(text)
    said = tried(machine, "tuner.undo()")
    assert said.startswith(fault)
    assert (machine.state / "tune.json").read_text() == text


def test_an_undo_that_may_not_write_changes_nothing(machine: Machine) -> None:
    """All that undo will write is tried first: a file in a read-only folder stops it at once."""
    assert tried(machine, wanted(somaxconn="64"), "tuner.apply(pending, ())") == ""
    folder = machine.root / "etc/sysctl.d"
    mounts = f"mount --bind {folder} {folder} && mount -o remount,bind,ro {folder}"
    assert machine.run("sh", "-c", mounts).returncode == 0
    after = machine.tree()
    said = tried(machine, "tuner.undo()")
    assert said == f"cannot write it: Read-only file system | {machine.root}{FILE}"
    assert (machine.tree(), machine.sysctl(SOMAXCONN)) == (after, "64")
