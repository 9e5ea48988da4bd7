"""What `scripts/` and `.ci/run` decide: when to install, what to run, how to fail.

The scripts are the real ones, in a copy of the frame; Python is a stand-in that notes what it is
asked for.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tomllib
from collections.abc import Mapping
from pathlib import Path
from string import ascii_lowercase

import pytest

ROOT = Path(__file__).parents[1]
SCRIPTS = sorted(path.name for path in (ROOT / "scripts").iterdir())

PYTHON = """#!/bin/sh
echo "$*" >>"$NOTES"
case "$*" in
*"-m venv"*) mkdir -p .venv/bin && cp "$0" .venv/bin/python && cp "$0" .venv/bin/holdfast ;;
*"-m pip"*) exit "${PIP_STATUS:-0}" ;;
demo*) echo "$# words in $PWD" >>"$NOTES" ;;
esac
"""
STEP = """#!/bin/sh
echo "$(basename "$0") $* $HOLDFAST_SEED" >>"$NOTES"
[ "$(basename "$0")" != "$ENDING" ] || exit "$(grep -c "^$ENDING" "$NOTES" | sed "$STATUS")"
"""


class Clone:
    """A copy of the frame, where programs note what they are asked to do."""

    def __init__(self, root: Path) -> None:
        self.root, self.notes, self.bin = root / "clone", root / "notes", root / "bin"
        for folder in ("scripts", ".ci"):
            shutil.copytree(ROOT / folder, self.root / folder)
        for name in ("pyproject.toml", "constraints.txt"):
            shutil.copy(ROOT / name, self.root)
        self.bin.mkdir()
        self.script(self.bin / "python3.11", PYTHON)

    def script(self, path: Path, text: str) -> None:
        path.write_text(text)
        path.chmod(0o755)

    def run(
        self, *argv: str, env: Mapping[str, str] | None = None, cwd: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        self.notes.write_text("")
        path = f"{self.bin}:{os.defpath}"
        return subprocess.run(
            [self.root / argv[0], *argv[1:]],
            env={"PATH": path, "NOTES": str(self.notes), "HOME": str(self.bin), **(env or {})},
            cwd=cwd or self.bin,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def noted(self, word: str) -> list[str]:
        return [line for line in self.notes.read_text().splitlines() if word in line]


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    """Return a fresh copy of the frame."""
    return Clone(tmp_path)


@pytest.mark.parametrize("name", [*(f"scripts/{name}" for name in SCRIPTS), ".ci/run"])
def test_a_script_can_be_run(name: str) -> None:
    """Each script is executable, and its own shell understands it."""
    path = ROOT / name
    shell = path.read_text().splitlines()[0].removeprefix("#!").split()
    assert os.access(path, os.X_OK)
    assert subprocess.run([*shell, "-n", path], check=False).returncode == 0


def test_all_that_is_asked_for_is_pinned() -> None:
    """Each dependency has one exact version in constraints.txt, which says nothing else."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    lists = [project["project"]["dependencies"], project["build-system"]["requires"]]
    lists += project["project"]["optional-dependencies"].values()
    wanted = {re.split(r"[\[<>=~! ]", text)[0] for texts in lists for text in texts}
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = [line.split("==") for line in lines if not line.startswith("#")]
    assert all(re.fullmatch(r"[\w.+]+", version) for _, version in pins)
    assert len({name for name, _ in pins}) == len(pins)
    assert wanted - {"holdfast"} - {name for name, _ in pins} == set()


def test_setup_installs_once(clone: Clone) -> None:
    """The first setup makes the environment and installs; the second does neither."""
    assert clone.run("scripts/setup").returncode == 0
    assert clone.noted("-m venv") == ["-m venv --clear .venv"]
    assert clone.noted("-m pip") == ["-m pip install -qq -e .[demo,dev,report]"]
    again = clone.run("scripts/setup")
    assert (again.returncode, again.stdout, again.stderr) == (0, "", "")
    assert clone.noted("-m") == []


@pytest.mark.parametrize("name", ["pyproject.toml", "constraints.txt"])
def test_setup_installs_what_changed(clone: Clone, name: str) -> None:
    """A change of what is wanted is installed, into the environment that is there."""
    clone.run("scripts/setup")
    with (clone.root / name).open("a") as file:
        file.write("# changed\n")
    assert clone.run("scripts/setup").returncode == 0
    assert (len(clone.noted("-m pip")), clone.noted("-m venv")) == (1, [])


def test_setup_installs_where_it_was_moved(clone: Clone) -> None:
    """A moved folder is installed again, since the environment names its old place."""
    clone.run("scripts/setup")
    clone.root = clone.root.rename(clone.root.with_name("moved"))
    assert clone.run("scripts/setup").returncode == 0
    assert len(clone.noted("-m pip")) == 1


def test_setup_that_failed_is_tried_again(clone: Clone) -> None:
    """A failed installation fails the script, and the next setup does not take it for done."""
    assert clone.run("scripts/setup", env={"PIP_STATUS": "7"}).returncode == 7
    assert clone.run("scripts/setup").returncode == 0
    assert len(clone.noted("-m pip")) == 1
    with (clone.root / "pyproject.toml").open("a") as file:
        file.write("# changed, and changed back\n")
    assert clone.run("scripts/test", env={"PIP_STATUS": "7"}).returncode == 7
    shutil.copy(ROOT / "pyproject.toml", clone.root)
    assert clone.run("scripts/setup").returncode == 0
    assert len(clone.noted("-m pip")) == 1


def test_setup_without_python_says_so(clone: Clone) -> None:
    """Without a Python that is new enough, setup ends with 2, a fault and a hint."""
    (clone.bin / "python3.11").unlink()
    for tool in ("sh", "dirname", "flock", "cat", "sha256sum"):
        (clone.bin / tool).symlink_to(str(shutil.which(tool)))
    for name in ("python3.12", "python3"):  # there, but too old or broken
        clone.script(clone.bin / name, "#!/bin/sh\nexit 1\n")
    ended = clone.run("scripts/setup", env={"PATH": str(clone.bin)})
    assert ended.returncode == 2
    assert ended.stderr.startswith("error: no Python 3.11 or newer")
    assert "\nhint: " in ended.stderr


APT = """#!/bin/sh
case "$*" in *install*) /usr/sbin/policy-rc.d nginx start && told=0 || told=$? ;; *) exit 0 ;; esac
echo "apt-get $* $told" >>"$NOTES"
exit "${APT_STATUS:-0}"
"""
BARE = """mount -t tmpfs none /usr/sbin
[ ! -e /usr/bin/systemd-analyze ] || mount --bind /dev/null /usr/bin/systemd-analyze
[ -z "$PROGRAMS" ] || (cd /usr/sbin && printf '#!/bin/sh\nexit 0\n' | tee $PROGRAMS >/dev/null)
chmod 755 /usr/sbin/* 2>/dev/null
"$@" && status=0 || status=$?
ls /usr/sbin | sed 's/^/left /' >>"$NOTES"
exit "$status"
"""
"""Runs words where /usr/sbin has nothing but PROGRAMS, which all end well, and nobody has systemd's
tools; notes what is left."""
NGINX = "nginx-light libnginx-mod-http-brotli-filter"
INSTALL = "apt-get -qqy --no-install-recommends install"


def installed(
    clone: Clone, there: str = "", *, reads_units: bool = True, **env: str
) -> tuple[int, list[str]]:
    """Exit code and notes of `scripts/edges` on a Debian with these programs in /usr/sbin, and with
    one that reads systemd's units."""
    for name, text in (("apt-get", APT), ("systemctl", STEP), ("systemd-analyze", STEP)):
        clone.script(clone.bin / name, text)
    if not reads_units:
        (clone.bin / "systemd-analyze").unlink()
    clone.notes.write_text("")
    quiet = {"PATH": f"{clone.bin}:{os.defpath}", "NOTES": str(clone.notes), "HOLDFAST_SEED": ""}
    ended = subprocess.run(
        ["unshare", "--mount", "sh", "-c", BARE, "sh", clone.root / "scripts/edges"],
        env={**quiet, "ENDING": "", "PROGRAMS": there, **env},
        timeout=60,
        check=False,
    )
    return ended.returncode, [line.strip() for line in clone.noted("")]


@pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("unshare"), reason="a /usr/sbin of its own needs root"
)
def test_edges_are_installed_and_not_started(clone: Clone) -> None:
    """Packages are forbidden to start services as long as it takes, and what came is disabled."""
    off = ["systemctl disable nginx", "systemctl disable haproxy"]
    assert installed(clone) == (0, [f"{INSTALL} {NGINX} haproxy 101", *off])
    one = [f"{INSTALL} haproxy 101", "systemctl disable haproxy", "left nginx"]
    assert installed(clone, "nginx") == (0, one)
    assert installed(clone, "nginx haproxy") == (0, ["left haproxy", "left nginx"])
    assert installed(clone, APT_STATUS="100") == (100, [f"{INSTALL} {NGINX} haproxy 101"])
    own = [f"{INSTALL} {NGINX} haproxy 0", *off, "left policy-rc.d"]
    assert installed(clone, "policy-rc.d") == (0, own)
    units = [f"{INSTALL} haproxy systemd 101", off[1], "left nginx"]
    assert installed(clone, "nginx", reads_units=False) == (0, units)


def test_all_tests_are_two_parts(clone: Clone) -> None:
    """`scripts/test` runs three at once, and then those that want nothing beside them."""
    assert clone.run("scripts/test", env={"HOLDFAST_SEED": "5"}).returncode == 0
    together, alone = clone.noted("pytest")
    in_order = "--dist loadfile --no-loadscope-reorder"
    assert together.endswith(f" -n 3 {in_order} -m not full and not alone")
    assert alone.endswith(" -m alone and not full")
    seeded = "-m pytest --hypothesis-seed=5 "
    assert together.startswith(seeded)
    assert alone.startswith(seeded)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["quick", "-x"], "-n 2 --dist loadfile -m not slow and not full -x"),
        (["-k", "two words"], "-m not full -k two words"),
        (["full", "ladder", "-x"], "-m full tests/full/test_ladder.py -x"),
    ],
)
def test_the_test_script_selects(clone: Clone, arguments: list[str], expected: str) -> None:
    """`scripts/test` sets up, then runs what was asked for with the seed, from any folder."""
    (clone.root / "tests/full").mkdir(parents=True)
    (clone.root / "tests/full/test_ladder.py").touch()
    assert clone.run("scripts/test", *arguments, env={"HOLDFAST_SEED": "5"}).returncode == 0
    assert len(clone.noted("-m pip")) == 1
    assert clone.noted("pytest") == [f"-m pytest --hypothesis-seed=5 {expected}"]


@pytest.mark.parametrize("arguments", [["test", "full"], ["test", "full", "x"], ["bench"]])
def test_an_unknown_name_lists_the_known(clone: Clone, arguments: list[str]) -> None:
    """A group or benchmark that is not there ends with 2 and the names that are."""
    for name in ("tests/full/test_ladder.py", "bench/ladder.py"):
        (clone.root / name).parent.mkdir(parents=True)
        (clone.root / name).touch()
    ended = clone.run(f"scripts/{arguments[0]}", *arguments[1:])
    assert ended.returncode == 2
    assert ended.stderr.endswith(" are: ladder\n")


def test_the_demo_runs_where_it_was_called(clone: Clone) -> None:
    """`scripts/demo` sets up and hands its options to the command, in the caller's folder."""
    assert clone.run("scripts/demo", "--app", "two words", cwd=clone.bin).returncode == 0
    expected = ["demo --app two words", f"3 words in {clone.bin}"]
    assert clone.notes.read_text().splitlines()[-2:] == expected


def test_a_benchmark_gets_its_options(clone: Clone) -> None:
    """`scripts/bench NAME` runs that file with the rest of the arguments."""
    (clone.root / "bench").mkdir()
    (clone.root / "bench/ladder.py").touch()
    assert clone.run("scripts/bench", "ladder", "--times", "2").returncode == 0
    assert clone.noted("bench/") == ["bench/ladder.py --times 2"]


@pytest.fixture
def ci(clone: Clone) -> Clone:
    """Return a committed copy; its scripts note their names, and end as ENDING and STATUS say."""
    for name in ("check", "test", "demo"):
        clone.script(clone.root / "scripts" / name, STEP)
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b", "-C", str(clone.root)]
    for command in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "all"]):
        subprocess.run([*git, *command], check=True)
    return clone


def ci_steps(clone: Clone, ending: str = "", status: str = "") -> tuple[int, str, list[str]]:
    ended = clone.run(".ci/run", env={"ENDING": ending, "STATUS": status})
    steps = [line.rsplit(" ", 1)[0].strip() for line in clone.noted("")]
    return ended.returncode, ended.stdout.splitlines()[-1], steps


def test_ci_runs_everything_and_one_group(ci: Clone) -> None:
    """CI runs check, test, demo and one full group, which the commit's hash chooses and seeds."""
    head = subprocess.check_output(["git", "-C", str(ci.root), "rev-parse", "HEAD"], text=True)
    number = int(head[:7], 16)
    groups = next(groups for groups in range(2, 26) if number % groups)  # not always the first
    (ci.root / "tests/full").mkdir(parents=True)
    for group in ascii_lowercase[:groups]:
        (ci.root / f"tests/full/test_{group}.py").touch()
    chosen = f"test full {ascii_lowercase[number % groups]}"
    assert ci_steps(ci) == (0, "ci: passed", ["check", "test", "demo", chosen])
    assert {line.rsplit(" ", 1)[1] for line in ci.noted("")} == {str(number)}


@pytest.mark.parametrize(("name", "code"), [("check", 1), ("test", 3), ("demo", 1), ("demo", 2)])
def test_ci_fails_at_the_first_failure(ci: Clone, name: str, code: int) -> None:
    """A step that fails ends CI at once, and its last line names the step and the exit code."""
    status, last, steps = ci_steps(ci, name, f"s/.*/{code}/")
    assert (status, last) == (1, f"ci: failed: scripts/{name} ended with exit code {code}")
    assert steps == ["check", "test", "demo"][: len(steps)]
    assert steps[-1] == name


def test_ci_says_what_ran_out_of_time(ci: Clone) -> None:
    """A step that was stopped for its time is named as such on the last line."""
    status, last, _ = ci_steps(ci, "test", "s/.*/124/")
    assert (status, last.split(" after ")[0]) == (1, "ci: failed: scripts/test ran out of time")


def test_ci_tries_a_void_demo_once_more(ci: Clone) -> None:
    """A demo that was void and then holds passes."""
    status, last, steps = ci_steps(ci, "demo", "s/1/3/; s/2/0/")
    assert (status, last) == (0, "ci: passed")
    assert steps == ["check", "test", "demo", "demo"]


def test_ci_fails_when_void_twice(ci: Clone) -> None:
    """A demo that is void twice fails."""
    status, last, steps = ci_steps(ci, "demo", "s/.*/3/")
    assert (status, last) == (1, "ci: failed: scripts/demo ended with exit code 3")
    assert steps == ["check", "test", "demo", "demo"]
