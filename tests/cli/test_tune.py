"""`holdfast tune` on a real kernel: what it names, mends and puts back, and what it refuses.

Settings are written in a network namespace of the test only, files below a folder of it.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.machine import ASKED, FILE, RANGE, SOMAXCONN, Machine
from tests.cli.run import holdfast

RESERVED = "net.ipv4.ip_local_reserved_ports"

PORTS_APP = """
[demand]
mean_time = "20s"
[[demand.kinds]]
name = "all"
share = 1.0
[[demand.kinds.uses]]
service = "upstream"
units = 1.0
[services.upstream]
addresses = 1
"""

pytestmark = [pytest.mark.slow, pytest.mark.beside]


@pytest.mark.alone
def test_what_is_too_small_is_named_mended_proved_and_put_back(machine: Machine) -> None:
    """somaxconn 2 does not hold 2,000: named, applied, then proved to hold, undone exactly."""
    before = machine.tree()
    prove = ("prove", *ASKED[:-2], "--hold", "3s", "--json")
    assert machine.run(sys.executable, "-m", "holdfast", *prove).returncode == 2
    told = machine.tune(*ASKED, "--json")
    assert (told.returncode, json.loads(told.stdout)["changes"]) == (1, [SOMAXCONN])
    applied = machine.tune(*ASKED, "--apply", "--yes")
    assert (applied.returncode, machine.sysctl(SOMAXCONN)) == (0, "2048"), applied.stderr
    assert f"{SOMAXCONN} = 2048\n" in (machine.root / FILE).read_text()
    assert machine.tune(*ASKED).returncode == 0
    proved = machine.run(sys.executable, "-m", "holdfast", *prove)
    assert (proved.returncode, json.loads(proved.stdout)["verdict"]) == (0, "held")
    undone = machine.tune("--undo")
    assert (undone.returncode, machine.sysctl(SOMAXCONN)) == (0, "2"), undone.stderr
    assert machine.tree() == before


def test_the_answer_names_the_change_the_reason_and_what_holds_without(machine: Machine) -> None:
    """At 80 columns: the setting with now and wanted, its formula, who, and the narrower plan."""
    said = machine.tune(*ASKED).stdout
    row = next(line for line in said.splitlines() if line.startswith(SOMAXCONN))
    assert row.split()[1:] == ["2", "2,048", ">", "change"]
    for word in ("accept queue of workers", "needed, rounded up", "by root", "without any change"):
        assert word in " ".join(said.split())
    assert max(map(len, said.splitlines())) <= 80


def test_json_has_every_row_and_a_narrower_plan_that_holds(machine: Machine) -> None:
    """Each row has a standing and a reason; what fits without a change needs none."""
    told = json.loads(machine.tune(*ASKED, "--json").stdout)
    assert {row["standing"] for row in told["needs"]} <= {
        "enough now",
        "change",
        "cannot be known here",
    }
    assert all(row["why"] and row["who"] for row in told["needs"])
    assert told["running"] == {SOMAXCONN: "2048"}
    fits = told["fits"] * 9 // 10  # free memory moves between two runs
    assert 0 < fits < 2_000
    asked = (*ASKED[:4], str(fits), *ASKED[5:8], str(fits))
    again = machine.tune(*asked, "--json")
    assert (again.returncode, json.loads(again.stdout)["changes"]) == (0, [])


def test_a_difference_is_shown_and_nothing_is_written(machine: Machine) -> None:
    """`--diff` prints each line to be added and each running value, and changes neither."""
    before = machine.tree()
    shown = machine.tune(*ASKED, "--diff")
    assert shown.returncode == 1
    assert f"+{SOMAXCONN} = 2048" in shown.stdout.splitlines()
    assert [line.split() for line in shown.stdout.splitlines()][-1] == [SOMAXCONN, "2", "2048"]
    assert (machine.tree(), machine.sysctl(SOMAXCONN)) == (before, "2")


def test_in_a_pipe_nothing_is_applied_without_yes(machine: Machine) -> None:
    """Where nobody can be asked `--apply` alone is bad input, after the difference was shown."""
    before = machine.tree()
    refused = machine.tune(*ASKED, "--apply")
    assert refused.returncode == 2
    assert "hint: look at `--diff`, then say `--yes`" in refused.stderr
    assert f"+{SOMAXCONN} = 2048" in refused.stdout
    assert (machine.tree(), machine.sysctl(SOMAXCONN)) == (before, "2")


def test_applied_twice_keeps_the_first_record_and_undone_twice_is_no_fault(
    machine: Machine,
) -> None:
    """The second time there is nothing to do, either way, and what was first there comes back."""
    before = machine.tree()
    assert machine.tune(*ASKED, "--apply", "--yes").returncode == 0
    after = machine.tree()
    second = machine.tune(*ASKED, "--apply", "--yes")
    assert (second.returncode, second.stderr) == (0, "nothing to do\n")
    assert machine.tree() == after
    assert machine.tune("--undo").returncode == 0
    again = machine.tune("--undo")
    assert (again.returncode, again.stderr) == (0, "there is nothing to undo\n")
    assert (machine.tree(), machine.sysctl(SOMAXCONN)) == (before, "2")


def test_a_second_tuning_keeps_what_the_first_one_wrote(machine: Machine, tmp_path: Path) -> None:
    """The file holds both, since it counts at the next start; one undo takes both back."""
    (tmp_path / "holdfast.toml").write_text(PORTS_APP)
    machine.sysctl(RANGE, "50000 51000")
    before = machine.tree()
    ports = ("--app-dir", str(tmp_path), "-n", "2k", "--burst", "0")
    for asked in (ports, ASKED):
        assert machine.tune(*asked, "--apply", "--yes").returncode == 0
    text = (machine.root / FILE).read_text()
    assert (text.count(f"\n{RANGE} = "), text.count(f"\n{SOMAXCONN} = 2048")) == (1, 1)
    assert machine.tune("--undo").returncode == 0
    assert (machine.sysctl(RANGE), machine.sysctl(SOMAXCONN)) == ("50000 51000", "2")
    assert machine.tree() == before


def test_a_file_that_was_there_comes_back_with_its_bytes_and_mode(machine: Machine) -> None:
    """Undo restores another's file of the same name exactly, with CRLF, and its mode."""
    file = machine.root / FILE
    file.write_bytes(b"net.core.somaxconn = 2\r\n\xff")
    file.chmod(0o640)
    before = machine.tree()
    assert machine.tune(*ASKED, "--apply", "--yes").returncode == 0
    assert b"2048" in file.read_bytes()
    assert machine.tune("--undo").returncode == 0
    assert machine.tree() == before


@pytest.mark.parametrize("changed", ["value", "file"])
def test_what_somebody_changed_since_is_not_overwritten(machine: Machine, changed: str) -> None:
    """Undo names what is neither as it was nor as we left it; `--force` puts all of it back."""
    before = machine.tree()
    machine.tune(*ASKED, "--apply", "--yes")
    if changed == "value":
        machine.sysctl(SOMAXCONN, "300")
    else:
        (machine.root / FILE).write_text("net.core.somaxconn = 300\n")
    after, named = machine.tree(), {"value": "`300`", "file": str(machine.root / FILE)}
    refused = machine.tune("--undo")
    assert refused.returncode == 1
    assert named[changed] in refused.stderr
    assert "--undo --force" in refused.stderr
    assert machine.tree() == after
    assert machine.tune("--undo", "--force").returncode == 0
    assert (machine.tree(), machine.sysctl(SOMAXCONN)) == (before, "2")


LISTENER = """
import socket, sys
sockets = [socket.create_server(("127.0.0.1", int(port))) for port in sys.argv[1:]]
print("ready", flush=True)
sys.stdin.read()
"""


def test_a_port_range_is_widened_and_its_listeners_are_kept_out(
    machine: Machine, tmp_path: Path
) -> None:
    """Ports to one address: a wider range, but for one that a program listens on; undone."""
    (tmp_path / "holdfast.toml").write_text(PORTS_APP)
    machine.sysctl(SOMAXCONN, "4096")
    machine.sysctl(RANGE, "50000 51000")
    asked = ("--app-dir", str(tmp_path), "-n", "2k")
    words = machine.inside(sys.executable, "-c", LISTENER, "50001", "8000")
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as listening:
        assert listening.stdout is not None
        assert listening.stdout.readline() == b"ready\n"
        assert json.loads(machine.tune(*asked, "--json").stdout)["changes"] == [RANGE, RESERVED]
        assert machine.tune(*asked, "--apply", "--yes").returncode == 0
        low, high = map(int, machine.sysctl(RANGE).split())
        assert 10_240 <= low < 50_000
        assert (high - low, machine.sysctl(RESERVED)) == (2 * 2_001, "50001")
        assert machine.tune(*asked).returncode == 0
        assert machine.tune("--undo").returncode == 0
        assert (machine.sysctl(RANGE), machine.sysctl(RESERVED)) == ("50000 51000", "")
        listening.communicate()


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        ((), "Missing option '--in-flight'"),
        (("-n", "2k", "--undo", "--apply"), "goes alone"),
        (("-n", "0"), "not a positive whole number"),
    ],
)
def test_bad_input_is_exit_code_2(words: tuple[str, ...], fault: str) -> None:
    """The fault and a hint, and nothing is written."""
    done = holdfast("tune", *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert fault in done.stderr
    assert "hint: " in done.stderr
