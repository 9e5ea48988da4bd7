"""A profile's file: what is written is read, and what is no profile is told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from holdfast.model.errors import BadInput, HoldfastError
from holdfast.proof.profile import Cost, Load
from holdfast.proof.profile_file import KIND, VERSION, Taken, read_profile, write_profile
from holdfast.proof.result import About

COST = Cost(4e7, 1e4, 100.0, 8e3, 1e-4, 1e-6, 40, 0, (5, -10, 5))
LOAD = Load(500, 0, 400, 5.0, {"workers": 1}, {"workers": 45_000_000}, {"workers": 0.1}, 520)
TAKEN = Taken(
    kind=KIND,
    version=VERSION,
    app="wait:app",
    taken_at="2026-11-21T09:00:00+00:00",
    in_flight=2_000,
    mean_time_s=6.0,
    versions={"python": "3.11.7", "uvicorn": "0.54.0", "uvloop": "0.23.0", "httptools": "0.9.0"},
    machine=About(2.0, 2**34, "6.18", "3.11.7", "0.1.0", "a processor"),
    programs={"workers": COST, "upstream": COST},
    loads=(LOAD,),
)


def changed(**by: Any) -> str:
    return json.dumps(msgspec.to_builtins(TAKEN) | by)


def cost(**by: float) -> dict[str, Any]:
    return {"workers": msgspec.to_builtins(COST) | by}


def test_what_is_written_is_read(tmp_path: Path) -> None:
    """Every field comes back as it was."""
    path = str(tmp_path / "app.json")
    write_profile(TAKEN, path)
    assert read_profile(path) == TAKEN


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "not a profile"),
        ("[]", "not a profile"),
        ('{"version": 1, "verdict": "held"}', "not a profile"),
        (changed(kind="holdfast result"), "not a profile but a holdfast result"),
        (changed(version=2), "version 2, 1 is known"),
        (changed(loads=None), "not a profile"),
        (changed(programs={}), "no row `programs.workers`"),
        (changed(programs=cost(request_bytes=-5)), "`programs.workers.request_bytes` is -5"),
        (changed(programs=cost(request_bytes=0)), "`programs.workers.request_bytes` is 0"),
        (changed(programs=cost(request_cpu_s=-1e-4)), "`programs.workers.request_cpu_s`"),
        (changed(programs=cost(base_bytes=-1)), "`programs.workers.base_bytes` is -1"),
    ],
)
def test_what_is_no_profile_is_told(text: str, fault: str, tmp_path: Path) -> None:
    """Another file, another version, a number that nothing can take: bad input, with its place."""
    path = tmp_path / "app.json"
    path.write_text(text)
    with pytest.raises(BadInput) as refused:
        read_profile(str(path))
    assert fault in refused.value.fault
    assert refused.value.place == str(path)


def test_no_file_is_told(tmp_path: Path) -> None:
    """A name that nothing lies at is bad input, and the hint says how a profile is made."""
    with pytest.raises(BadInput) as refused:
        read_profile(str(tmp_path / "none.json"))
    assert "--profile-out" in (refused.value.hint or "")


def test_a_profile_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    """The fault names the profile, not a result."""
    with pytest.raises(HoldfastError) as refused:
        write_profile(TAKEN, str(tmp_path / "no" / "app.json"))
    assert "the profile cannot be written" in refused.value.fault
