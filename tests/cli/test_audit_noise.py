"""Whatever stands in files, an audit answers: no traceback, in no output, with or without --fix."""

from __future__ import annotations

import json
import random
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.checks.test_documented import CASES as DOCUMENTED
from tests.cli.within import put, within
from tests.readers.judged import cases

pytestmark = pytest.mark.beside

GUIDES = Path(__file__).parents[1] / "readers/guides"
CORPUS: tuple[dict[str, bytes], ...] = (
    *({name: text.encode() for name, text in case.files.items()} for _, case in cases()),
    {
        "nginx.conf": (GUIDES / "debian-nginx.conf").read_bytes(),
        "sites-enabled/app": (GUIDES / "digitalocean.conf").read_bytes(),
    },
    {"haproxy.cfg": (GUIDES / "linode-haproxy.cfg").read_bytes()},
    *(
        {name: text.encode() for name, text in case.files.items() if name != "source"}
        for case in DOCUMENTED
    ),
)
ODD = (
    *b"0 -1 1 2 65536 99999999999999999999 1e400 nan inf 0x10 infinity auto 1.5 10M 5s 1h".split(),
    *b"$x ${X:-2} % on \\ \" ' { } ; cpu_count() \xff\xfe \xc3\xa9".split(),
    *(b"", b" ", b"\n", b"\0"),
)
"""What stands in the place of a number, or anywhere, when nobody looked."""


def damaged(lots: random.Random, data: bytes, other: bytes) -> bytes:
    """The bytes with one thing wrong with them."""
    lines = data.splitlines(keepends=True) or [b""]
    at, line = lots.randrange(len(data) + 1), lots.randrange(len(lines))
    match lots.randrange(7):
        case 0:
            return data[:at]
        case 1:
            return b"".join(lines[:line] + lines[line + 1 :])
        case 2:
            return b"".join(lines[: line + 1] + lines[line:])
        case 3:
            return data[:at] + lots.choice(ODD) + data[at:]
        case 4:
            return data[:at] + lots.randbytes(lots.randrange(1, 20)) + data[at:]
        case 5:
            start = lots.randrange(len(other) + 1)
            return data[:at] + other[start : start + lots.randrange(200)] + data[at:]
    words = data.split(b" ")
    numbers = [n for n, word in enumerate(words) if word.strip(b";\n\t'\"")[:1].isdigit()]
    if numbers:
        words[lots.choice(numbers)] = lots.choice(ODD) + lots.choice((b"", b";", b";\n", b"\n"))
    return b" ".join(words)


def mixture(lots: random.Random) -> dict[str, bytes]:
    """Files of some of the corpus, some of them damaged, in one tree or in a folder each."""
    files: dict[str, bytes] = {}
    for number in range(lots.randrange(1, 5)):
        under = lots.choice(("", "", f"{number}/", f"etc/{number}.d/"))
        files |= {under + name: data for name, data in lots.choice(CORPUS).items()}
    for _ in range(lots.randrange(4)):
        name = lots.choice(list(files))
        other = lots.choice(list(lots.choice(CORPUS).values()))
        files[name] = damaged(lots, files[name], other)
    return files


def options(lots: random.Random) -> list[str]:
    """Options of an audit, of any size that they take."""
    words: list[str] = []
    told = {
        "--cores": ("0.1", "1", "3", "16", "1000"),
        "--memory": ("1", "512MiB", "24GiB", "1000TiB"),
        "--nofile": ("1", "7", "1024", "20k", "1000000000"),
        "--streams": ("1", "50", "100k"),
        "--idle": ("0", "1", "5k", "10M"),
        "--mean-time": ("0.001", "20", "86400"),
    }
    for name, values in told.items():
        if lots.random() < 0.3:
            words += (name, lots.choice(values))
    if lots.random() < 0.8:
        words += ("--target", lots.choice(("1", "2", "1000", "50k", "3M", "1000M")))
        words += lots.choice(((), ("--diff",), ("--fix",), ("--fix",)))
    return words + list(lots.choice(((), ("--json",), ("--sarif",))))


def judge(lots: random.Random) -> None:
    """One mixture, one set of options: an exit code that is known, and JSON where it was asked."""
    with tempfile.TemporaryDirectory() as folder:
        files = mixture(lots)
        put(Path(folder), {name: data for name, data in files.items() if name})
        words = options(lots)
        code, told = within("audit", folder, *words)
        assert code in {0, 1, 2}
        said = json.loads(told) if code < 2 and {"--json", "--sarif"} & set(words) else {}
        if "--json" in words and said:
            holds = said["holds"]
            assert 0 <= holds["sure"] <= holds["onset"] <= holds["best"]
        again, _ = within("audit", folder)
        assert again in {0, 1, 2}


def test_some_damaged_files(seed: int) -> None:
    """A handful of mixtures, by the seed."""
    lots = random.Random(seed)
    for _ in range(4):
        judge(lots)


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(st.randoms(use_true_random=False))
def test_any_damaged_files(lots: random.Random) -> None:
    """Any mixture."""
    judge(lots)
