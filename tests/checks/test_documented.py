"""Configurations of the programs' own documentation: each finding on them was judged by hand.

A case holds settings of one page as facts, in our own words and order. Below its dashes stands
every finding, with who judged it right and why: without a number, and for 10,000 (`10k`).
"""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from holdfast.model.finding import Finding
from holdfast.testing.cases import Case, load
from tests.checks.folder import audited

FOLDER = Path(__file__).parent / "documented"
CASES = [load(path, "source") for path in sorted(FOLDER.glob("*.case"))]
PROGRAMS = ("nginx", "haproxy", "gunicorn")
LEAST = 30
"""Configurations that are asked for, ten of each program."""
LINE = re.compile(r"(10k )?(error|warning|note) (HF\d{3})((?: \S+:\d+)*) \| (right|false): (.+)")


class Judged(msgspec.Struct, frozen=True, order=True):
    """A finding of a case, with or without a number, and what was thought of it."""

    asked: str
    severity: str
    code: str
    places: tuple[str, ...]


def of(finding: Finding, asked: str) -> Judged:
    """The finding as a case lists it: its places once each, in its own order."""
    places = dict.fromkeys(f"{place.file}:{place.line}" for place in finding.places)
    return Judged(asked, finding.severity.value, finding.code, tuple(places))


def found(case: Case) -> set[Judged]:
    """What the audit finds; with a number what it finds beyond that."""
    source = case.files["source"]
    files = {name: text for name, text in case.files.items() if name != "source"}
    told = dict(re.findall(r"(\w+)=(\S+)", source.partition("assume: ")[2]))
    plain = {of(f, "") for a in audited(files, versions=told) for f in a.findings}
    asked = {of(f, "10k") for a in audited(files, 10_000, versions=told) for f in a.findings}
    return plain | {each for each in asked if msgspec.structs.replace(each, asked="") not in plain}


def listed(case: Case) -> dict[Judged, tuple[str, str]]:
    """What the case lists, with the verdict and its reason."""
    lines = [line for line in case.expected.splitlines() if line]
    parted = [LINE.fullmatch(line) for line in lines]
    assert all(parted), [line for line, each in zip(lines, parted, strict=True) if each is None]
    return {
        Judged((each[1] or "").strip(), each[2], each[3], tuple(each[4].split())): (
            each[5],
            each[6],
        )
        for each in parted
        if each is not None
    }


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_each_finding_was_judged(case: Case) -> None:
    """What is found is what is listed, and none of it is a false alarm."""
    judged = listed(case)
    assert found(case) == set(judged)
    assert {verdict for verdict, _ in judged.values()} <= {"right"}


def test_there_are_enough_of_each_program() -> None:
    """Thirty and more configurations, each with the page that it was taken from."""
    count = {name: sum(case.name.startswith(name) for case in CASES) for name in PROGRAMS}
    assert min(count.values()) >= LEAST / len(PROGRAMS)
    assert all(re.match(r"\w.*: |\w.*, ", case.files["source"]) for case in CASES)
