"""The readers beside the real programs: what nginx and HAProxy accept is no error to a reader."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from holdfast.model.limit import Severity
from holdfast.readers.contract import Found, Read, Reader
from holdfast.readers.text import Given, Text
from holdfast.testing.cases import Case
from holdfast.testing.readers import answer
from holdfast.testing.shown import shown
from tests.edges import INSTALLED
from tests.readers.judged import cases

pytestmark = pytest.mark.slow
CASES = [(reader, case) for reader, case in cases() if reader.name in INSTALLED]
NAMED = [f"{reader.name}-{case.name}" for reader, case in CASES]


def laid_out(case: Case, folder: Path) -> Path:
    """The case's files in a folder; the path of the one that is read."""
    for name, said in case.files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(said)
    return folder / case.first


def judged(program: str, path: Path, how: str = "-t") -> subprocess.CompletedProcess[str]:
    """The program's own judgement of a file."""
    binary = INSTALLED[program]
    if not binary:
        pytest.skip(f"{program} is not installed")
    nginx = [binary, how, "-p", str(path.parent), "-c", str(path), "-e", "stderr"]
    argv = nginx if program == "nginx" else [binary, "-c", "-f", str(path)]
    return subprocess.run(argv, capture_output=True, text=True, check=False, timeout=20)


@pytest.mark.parametrize(("reader", "case"), CASES, ids=NAMED)
def test_what_the_program_accepts_is_no_error(reader: Reader, case: Case, tmp_path: Path) -> None:
    """Where the reader speaks of an error, the program does not start."""
    said = judged(reader.name, laid_out(case, tmp_path))
    if said.returncode == 0:
        made = answer(reader, case)
        assert not re.search(r"^(error\[|warning\[HF008\]|BadInput)", made, re.MULTILINE), made


def unplaced(found: Found, case: Case) -> str:
    """A hop without the files and lines that its values stand in."""
    return re.sub(r"  @ .*", "", shown(Read((found,)), case.files))


@pytest.mark.parametrize("name", ["inherited", "three-hosts-upgrade", "variables", "other-letters"])
def test_a_dump_says_what_the_files_say(name: str, tmp_path: Path) -> None:
    """What `nginx -T` prints of a configuration is read as the configuration itself."""
    reader, case = next(found for found in CASES if found[1].name == name)
    path = laid_out(case, tmp_path)
    dump = judged(reader.name, path, "-T")
    assert dump.returncode == 0, dump.stderr
    read = reader.read(Text("dump.txt", dump.stdout), Given())
    plain = reader.read(case.text, case.given)
    assert not [one for one in read.problems if one.severity is Severity.ERROR]
    assert unplaced(read.hops[0], Case(name, {"dump.txt": dump.stdout}, "")) == unplaced(
        plain.hops[0], case
    )
