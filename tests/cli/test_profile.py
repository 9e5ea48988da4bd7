"""Profiles on the command line: taken by `prove`, used by `plan`, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from holdfast.proof.profile_file import Taken, versions_here, write_profile
from tests.cli.run import SHOP, WAIT, holdfast, tried
from tests.proof.test_profile_file import TAKEN

pytestmark = [pytest.mark.slow, pytest.mark.beside]

NEAR = 0.1


def written(folder: Path, **by: object) -> str:
    """A profile of the waiting app, taken with the versions that are here, unless said."""
    path = str(folder / "app.json")
    taken: Taken = msgspec.structs.replace(TAKEN, versions=versions_here())
    write_profile(msgspec.structs.replace(taken, **by), path)
    return path


def test_a_plan_takes_its_numbers_from_the_profile(tmp_path: Path) -> None:
    """Workers' values are the profile's, not holdfast.toml's, each with file and date."""
    path = written(tmp_path)
    words = ("plan", "wait:app", "--app-dir", WAIT, "-n", "20k", "--profile", path)
    plan = json.loads(holdfast(*words, "--edge", "none", "--json").stdout)
    workers = next(hop for hop in plan["hops"] if hop["name"] == "workers")
    values = {value["setting"]: value for value in workers["values"]}
    assert values["request_bytes"]["value"] == 1e4
    assert values["request_cpu_s"]["value"] == 1e-4
    assert values["base_bytes"]["source"] == "measured"
    assert path in values["base_bytes"]["why"]
    assert "2026-11-21" in values["base_bytes"]["why"]
    assert workers["version"] == versions_here()["uvicorn"]
    assert plan["notes"] == []


def test_what_holdfast_toml_shares_is_a_ceiling(tmp_path: Path) -> None:
    """The shop's 500 suppliers count in full where a profile saw fewer of them."""
    path = written(tmp_path, app="shop:app")
    words = ("plan", "shop:app", "--app-dir", SHOP, "-n", "20k", "--profile", path)
    plan = json.loads(holdfast(*words, "--json").stdout)
    workers = next(hop for hop in plan["hops"] if hop["name"] == "workers")
    values = {value["setting"]: value["value"] for value in workers["values"]}
    assert (values["own_descriptors"], values["shared_descriptors"]) == (540, 500)


@pytest.mark.parametrize(
    ("by", "told"),
    [
        ({"app": "shop:app"}, "the profile is of `shop:app`, the plan of `wait:app`"),
        ({"versions": {**versions_here(), "python": "3.10.1"}}, "taken with python 3.10.1"),
        ({"versions": {**versions_here(), "uvicorn": "0.1.0"}}, "taken with uvicorn 0.1.0"),
    ],
)
def test_a_profile_of_something_else_is_noted(
    by: dict[str, object], told: str, tmp_path: Path
) -> None:
    """Another app, or another version of interpreter or engine: a note, and the plan goes on."""
    path = written(tmp_path, **by)
    words = ("plan", "wait:app", "--app-dir", WAIT, "-n", "2k", "--profile", path)
    assert any(told in note for note in json.loads(holdfast(*words, "--json").stdout)["notes"])
    shown = holdfast(*words)
    assert shown.returncode == 0
    assert "note: " in shown.stdout


@pytest.mark.parametrize("command", ["plan", "up", "prove", "demo"])
def test_no_profile_at_that_place_is_bad_input(command: str) -> None:
    """Each command that takes `--profile` refuses a file that is not there, and starts nothing."""
    app = ("--app", "wait:app") if command == "demo" else ("wait:app", "--app-dir", WAIT)
    done = holdfast(command, *app, "-n", "100", "--profile", "/nowhere.json")
    assert done.returncode == 2
    assert "no profile can be read" in done.stderr
    assert "/nowhere.json" in done.stderr
    assert "workers answer" not in done.stderr


@pytest.mark.parametrize(
    ("target", "more", "fault"),
    [
        ("http://127.0.0.1:9/", ("-n", "2k"), "a profile is of an app that is started here"),
        ("wait:app", ("-n", "50"), "50 in flight are too few for a profile"),
        ("wait:app", ("-n", "2k", "--edge", "nginx"), "`--edge nginx` contradicts"),
    ],
)
def test_what_no_profile_can_be_taken_of(
    target: str, more: tuple[str, ...], fault: str, tmp_path: Path
) -> None:
    """A URL, too few requests, an edge: bad input before anything starts, and no file."""
    out = tmp_path / "app.json"
    done = holdfast("prove", target, "--app-dir", WAIT, *more, "--profile-out", str(out))
    assert done.returncode == 2
    assert fault in done.stderr
    assert not out.exists()


def test_a_profile_that_could_not_be_written_is_told_first(tmp_path: Path) -> None:
    """A place in a folder that is not there is refused before anything is started."""
    place = str(tmp_path / "none" / "app.json")
    done = holdfast("prove", "wait:app", "--app-dir", WAIT, "-n", "2k", "--profile-out", place)
    assert done.returncode in (1, 2)
    assert "the profile cannot be written" in done.stderr
    assert "workers answer" not in done.stderr


@pytest.mark.alone
def test_a_small_profile_predicts_the_workers_memory(tmp_path: Path) -> None:
    """Taken at 500, it says within 10 % what the workers take at 2,000 and 200 idle clients."""
    path, out = str(tmp_path / "app.json"), tmp_path / "result.json"
    app = ("wait:app", "--app-dir", WAIT)
    small = tried("prove", *app, "-n", "500", "--mean-time", "500ms", "--profile-out", path)
    assert small.returncode == 0, small.stdout[-2000:] + small.stderr
    large = ("-n", "2k", "--idle", "200", "--mean-time", "1s", "--profile", path)
    done = tried("prove", *app, *large, "--hold", "3s", "--out", str(out))
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr
    result, cost = json.loads(out.read_text()), json.loads(Path(path).read_text())
    each = cost["programs"]["workers"]
    clients = result["series"]["client"]
    predicted = each["base_bytes"] + each["request_bytes"] * max(clients) + each["idle_bytes"] * 200
    assert len(cost["loads"]) == len(each["residual_bytes"]) + 1
    assert abs(predicted / result["memory"]["workers"] - 1) < NEAR
